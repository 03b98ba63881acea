"""The archive of events gives every feature, also those that came after the decision."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from fraud import features
from fraud.aws import decision_items
from model import archive
from tests.fakes import samples
from tests.fakes.samples import DAY, NOW, label_message, record
from tests.fakes.world import World, in_memory

FAR = datetime.fromtimestamp(NOW + 90 * DAY, UTC)


def served() -> tuple[World, list[dict[str, object]]]:
    """Decisions of forty days at one terminal as the archive holds them; two frauds became known meanwhile."""
    world, documents = in_memory(), []
    for day in range(40):
        at = NOW + day * DAY
        world.clock.now = at
        event = samples.payload(f"t{day}", f"c{day % 3}", at=at, amount_minor=1000 + 700 * (day % 5) ** 3)
        assert world.score([record(day, event, arrived_at=at)]) == []
        [decision] = world.reports[-1].decided
        documents.append(dict(decision_items.decode(decision_items.encode(decision, 90), "1").document))
        assert world.project([each for each in world.stores.stream() if each.transaction_id == f"t{day}"]) == []
        if day in (8, 16):
            verdict = replace(label_message(day, f"t{day - 7}", at=at), arrived_at=at)
            assert world.label([verdict]) == []
    return world, documents


def test_backfill_of_the_archive_equals_what_was_served() -> None:
    world, decisions = served()
    verdicts = [each for each in world.stores.archived() if "labelled_at" in each]
    found = archive.backfill([*decisions, *decisions], [*verdicts, *verdicts], FAR)

    rows = [[each["features"][name] for name in features.NAMES] for each in decisions]  # type: ignore[index]
    assert found.transaction_ids == [f"t{day}" for day in range(40)]
    np.testing.assert_array_equal(found.features, np.array(rows, dtype=np.float32))
    assert found.features[:, features.NAMES.index("terminal_frauds_30d")].max() == 2
    assert found.target.sum() == 2


def test_transactions_event_from_the_future_counts_at_its_arrival() -> None:
    event = samples.event(at=NOW + 9 * DAY) | {"arrived_at": samples.event(at=NOW)["occurred_at"]}
    [time] = archive.transactions([event | {"flags": ["from_the_future"]}])["occurred_at"].to_pylist()
    assert time.timestamp() == NOW
