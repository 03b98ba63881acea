"""The note of an observation and the counters are written together or not at all."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from fraud.analysis import LATENCY_EDGES_MS, Latency, Pairs, Shadow
from fraud.aws.shadow_store import DynamoShadowStore
from fraud.decision import Action
from fraud.errors import StoreUnavailable
from fraud.shadow_ports import CHALLENGER, CHAMPION, Observation, ShadowCommit
from tests.fakes import shadow as fakes
from tests.fakes.functions import Functions
from tests.fakes.samples import NOW
from tests.fakes.shadow import EPOCH, AwsShadows, Shadows
from tests.fakes.world import Stores

DAY = 86400


@pytest.fixture
def shadows(stores: Stores) -> Shadows:
    return fakes.over(stores)


def observation(
    number: int = 1, champion: Action = Action.APPROVE, challenger: Action | None = Action.BLOCK, bucket: int = 5
) -> Observation:
    return Observation(f"t{number}", bucket, champion, 0.25, challenger, None if challenger is None else 0.95)


def commit(*observations: Observation, **fields: Any) -> ShadowCommit:
    return ShadowCommit(observations[0].bucket, observations, **fields)


def call(place: int, milliseconds: float) -> Latency:
    counts = tuple(int(each == place) for each in range(len(LATENCY_EDGES_MS) + 1))
    return Latency(counts=counts, total_ms=milliseconds)


def test_observe_new_observations_are_noted_and_counted_by_bucket(shadows: Shadows) -> None:
    unanswered, other = observation(2, challenger=None), observation(3, Action.REVIEW, Action.REVIEW, bucket=127)
    assert shadows.store.observe(EPOCH, [commit(observation(), unanswered), commit(other)]) is None
    assert shadows.seen().pairs == {
        5: Pairs(transactions=2, unanswered=1, challenger_block=1),
        127: Pairs(transactions=1, champion_review=1, challenger_review=1, both_review=1),
    }
    assert shadows.notes()["t1"] == {
        "champion_action": "approve",
        "champion_score": 0.25,
        "challenger_action": "block",
        "challenger_score": 0.95,
    }
    assert shadows.notes()["t2"] == {"champion_action": "approve", "champion_score": 0.25}


def test_observe_what_is_counted_is_added_to_what_was(shadows: Shadows) -> None:
    for number in range(3):
        assert shadows.store.observe(EPOCH, [commit(observation(number))]) is None
    assert shadows.seen().pairs == {5: Pairs(transactions=3, challenger_block=3)}


def test_observe_noted_observation_is_named_and_nothing_is_written(shadows: Shadows) -> None:
    shadows.store.observe(EPOCH, [commit(observation(1))])
    timings = {CHAMPION: call(0, 1.0)}
    assert shadows.store.observe(EPOCH, [commit(observation(1), observation(2), timings=timings)]) == {"t1"}
    assert shadows.seen() == Shadow(pairs={5: Pairs(transactions=1, challenger_block=1)})
    assert list(shadows.notes()) == ["t1"]


def test_observe_the_same_transaction_in_another_epoch_is_counted_there(shadows: Shadows) -> None:
    assert shadows.store.observe(EPOCH, [commit(observation())]) is None
    assert shadows.store.observe(EPOCH + 1, [commit(observation())]) is None
    assert shadows.seen(EPOCH).pairs == shadows.seen(EPOCH + 1).pairs == {5: Pairs(transactions=1, challenger_block=1)}


def test_observe_timings_are_added_by_model_and_place(shadows: Shadows) -> None:
    last = len(LATENCY_EDGES_MS)
    for number, timings in enumerate(
        ({CHAMPION: call(3, 4.5), CHALLENGER: call(last, 60_000.25)}, {}, {CHAMPION: call(4, 5.5)})
    ):
        shadows.store.observe(EPOCH, [commit(observation(number), timings=timings)])
    seen = shadows.seen()
    assert (seen.champion.counts[3:5], sum(seen.champion.counts), seen.champion.total_ms) == ((1, 1), 2, 10.0)
    assert (seen.challenger.counts[last], sum(seen.challenger.counts), seen.challenger.total_ms) == (1, 1, 60_000.25)


def test_observe_items_have_the_keys_that_are_read_elsewhere(functions: Functions) -> None:
    shadows = AwsShadows(functions.stores)
    shadows.store.observe(EPOCH, [commit(observation(), timings={CHALLENGER: call(3, 4.5)})])
    items = {(item.pop("pk")["S"], item.pop("sk")["S"]): item for item in shadows.items()}
    assert items["shadow#7#005", "t1"]["expires_at"] == {"N": str(NOW + 30 * DAY)}
    assert items["shadow#7", "latency#challenger"] == {"c3": {"N": "1"}, "total_us": {"N": "4500"}}
    assert set(items["shadow#7", "pairs#005"]) == set(Pairs.__struct_fields__)
    assert len(items) == 3


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    with Stubber(boto3.client("dynamodb")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def test_observe_conflict_is_not_taken_for_a_note(dynamodb: Stubber) -> None:
    reasons = [{"Code": "TransactionConflict"}, {"Code": "ConditionalCheckFailed"}, {"Code": "None"}]
    dynamodb.add_client_error(
        "transact_write_items", "TransactionCanceledException", modeled_fields={"CancellationReasons": reasons}
    )
    store = DynamoShadowStore(dynamodb.client, "rollouts", lambda: NOW)
    assert store.observe(EPOCH, [commit(observation(1), observation(2))]) == {"t2"}


def test_observe_refused_write_is_unavailable(dynamodb: Stubber) -> None:
    dynamodb.add_client_error("transact_write_items", "ThrottlingException")
    with pytest.raises(StoreUnavailable, match=r"^TransactWriteItems: ThrottlingException$"):
        DynamoShadowStore(dynamodb.client, "rollouts", lambda: NOW).observe(EPOCH, [commit(observation())])
