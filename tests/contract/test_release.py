"""A small share of would-be blocks is released to review: how probable that was goes wherever the decision goes."""

from __future__ import annotations

import json

from fraud import policy
from fraud.aws.event_bus import EventBridgeBus
from fraud.decision import Score
from tests.fakes import samples
from tests.fakes.faults import Clock, Inline
from tests.fakes.samples import NOW, payload
from tests.fakes.world import MemoryStores, Stores, World

RELEASING = policy.load(b'{"version": "1", "lists": {}, "rules": [], "release_share": 0.05}')
SURE = 0.95
COUNT = 150
EXPECTED = {"review": 0.05, "block": 0.95}


def blocking(world: World) -> World:
    """A world whose champion would block everything, and whose policy releases some of it."""
    world.policy = RELEASING
    world.stores.set_routing(samples.routing())
    world.scorer.answers["fraud-a"] = lambda rows: [Score(SURE) for _ in rows]
    return world


def records(count: int) -> list[samples.StreamRecord]:
    return [samples.record(number, payload(f"t{number}", f"c{number % 9}")) for number in range(count)]


def test_release_is_archived_with_its_probability_and_so_is_what_stayed_blocked(stores: Stores, world: World) -> None:
    blocking(world).score(records(COUNT))
    world.project(stores.stream())

    found = {each["transaction_id"]: (each["action"], each["propensity"]) for each in stores.archived()}
    assert len(found) == COUNT and {action for action, _ in found.values()} == EXPECTED.keys()
    assert all(propensity == EXPECTED[action] for action, propensity in found.values())


def test_release_is_decided_alike_when_an_attempt_left_nothing_and_the_batch_comes_again() -> None:
    attempts = [World(MemoryStores(Clock(NOW + delay))) for delay in (0, 60)]
    for world in attempts:
        blocking(world).score(records(COUNT))

    first, second = ({name: seen.action for name, seen in each.stores.decided().items()} for each in attempts)
    assert first == second and len(first) == COUNT


def test_event_tells_how_probable_a_decision_was(stores: Stores, world: World) -> None:
    class Bus:
        def __init__(self) -> None:
            self.told: list[dict[str, object]] = []

        def put_events(self, Entries: list[dict[str, str]]) -> dict[str, object]:  # noqa: N803 - AWS's name
            self.told += [json.loads(entry["Detail"]) for entry in Entries]
            return {"FailedEntryCount": 0, "Entries": []}

    blocking(world).score(records(COUNT))
    bus = Bus()
    EventBridgeBus(bus, "fraud", Inline(), lambda attempt: None).publish(stores.stream())

    assert all(each["propensity"] == EXPECTED[str(each["action"])] for each in bus.told) and len(bus.told) == COUNT
