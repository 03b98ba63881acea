"""What projection and shadow scoring count is what a rollout sees."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from fraud import routing
from fraud.analysis import LATENCY_EDGES_MS, Latency, Pairs, Shadow, Tally
from fraud.aws.observations import MOST_PAGES, DynamoObservations
from fraud.decision import Action
from fraud.errors import StoreUnavailable
from fraud.rollout_ports import Observations
from fraud.shadow_ports import CHALLENGER, CHAMPION, Observation, ShadowCommit
from tests.fakes import rollouts, samples
from tests.fakes import shadow as shadow_fakes
from tests.fakes.aws import ROLLOUTS
from tests.fakes.shadow import Shadows
from tests.fakes.world import Stores, World

EPOCH = 7


@pytest.fixture
def shadows(stores: Stores) -> Shadows:
    return shadow_fakes.over(stores)


@pytest.fixture
def observations(stores: Stores, shadows: Shadows) -> Observations:
    return rollouts.observations(stores, shadows.seen)


def decide(world: World, *decided: tuple[str, str | None, Action, bool], epoch: int = EPOCH) -> None:
    """Decide transactions of as many cards, and let them be counted."""
    for number, (card, slot, action, degraded) in enumerate(decided):
        each = samples.accepted(f"{epoch}-{number}", card)
        decision = samples.decision(each, slot=slot, action=action, degraded=degraded, epoch=epoch)
        standing = world.stores.ports().state.read([f"card#{card}"]).entities.get(f"card#{card}")
        version = standing.version if standing else 0
        assert world.stores.ports().decisions.commit([samples.commit(decision, expected_version=version)]) is None
    assert world.project(world.stores.stream()) == []


def test_arms_without_decisions_are_none(observations: Observations) -> None:
    assert observations.arms(EPOCH) == {}


def test_arms_are_counted_by_slot_and_card_bucket(world: World, observations: Observations) -> None:
    decide(
        world,
        ("c1", "a", Action.APPROVE, False),
        ("c1", "a", Action.REVIEW, False),
        ("c2", "a", Action.BLOCK, False),
        ("c3", "b", Action.APPROVE, True),
        ("c4", None, Action.APPROVE, True),
    )
    one, two, three, four = map(routing.bucket, ("c1", "c2", "c3", "c4"))
    assert observations.arms(EPOCH) == {
        "a": {one: Tally(transactions=2, approve=1, review=1), two: Tally(transactions=1, block=1)},
        "b": {three: Tally(transactions=1, approve=1, degraded=1)},
        "none": {four: Tally(transactions=1, approve=1, degraded=1)},
    }


def test_arms_of_another_epoch_are_not_among_them(world: World, observations: Observations) -> None:
    decide(world, ("c1", "a", Action.APPROVE, False), epoch=EPOCH + 70)
    decide(world, ("c1", "a", Action.BLOCK, False))
    assert observations.arms(EPOCH) == {"a": {routing.bucket("c1"): Tally(transactions=1, block=1)}}


def test_shadow_that_saw_nothing_is_empty(observations: Observations) -> None:
    assert observations.shadow(EPOCH) == Shadow()


def call(place: int, milliseconds: float) -> Latency:
    counts = tuple(int(each == place) for each in range(len(LATENCY_EDGES_MS) + 1))
    return Latency(counts=counts, total_ms=milliseconds)


def test_shadow_is_seen_as_it_was_counted(shadows: Shadows, observations: Observations) -> None:
    slowest = len(LATENCY_EDGES_MS)
    timings = {CHAMPION: call(0, 1.25), CHALLENGER: call(slowest, 60_000.0)}
    seen = (
        Observation("t1", 0, Action.BLOCK, 0.95, Action.BLOCK, 0.97),
        Observation("t2", 0, Action.REVIEW, 0.6, Action.BLOCK, 0.91),
        Observation("t3", 0, Action.REVIEW, 0.6, Action.REVIEW, 0.7),
        Observation("t4", 0, Action.APPROVE, 0.1),
    )
    other = (Observation("t5", 127, Action.APPROVE, 0.1, Action.APPROVE, 0.1),)
    shadows.store.observe(EPOCH, [ShadowCommit(0, seen, timings), ShadowCommit(127, other)])
    shadows.store.observe(EPOCH + 70, [ShadowCommit(3, other)])
    assert observations.shadow(EPOCH) == Shadow(
        pairs={
            0: Pairs(
                transactions=4,
                unanswered=1,
                champion_block=1,
                challenger_block=2,
                both_block=1,
                champion_review=2,
                challenger_review=1,
                both_review=1,
            ),
            127: Pairs(transactions=1),
        },
        champion=timings[CHAMPION],
        challenger=timings[CHALLENGER],
    )


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    with Stubber(boto3.client("dynamodb")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def page(stub: Stubber, partition: str, most: int, *items: dict[str, Any], start: Any = None, last: Any = None) -> None:
    expected = {
        "TableName": ROLLOUTS,
        "KeyConditionExpression": "pk = :pk",
        "ExpressionAttributeValues": {":pk": {"S": partition}},
        "ConsistentRead": True,
        "Limit": most,
    }
    answer = {"Items": list(items)} | ({"LastEvaluatedKey": last} if last else {})
    stub.add_response("query", answer, expected | ({"ExclusiveStartKey": start} if start else {}))


def counter(sort_key: str) -> dict[str, Any]:
    return {"pk": {"S": "counters#7"}, "sk": {"S": sort_key}, "transactions": {"N": "1"}}


def test_arms_on_several_pages_are_put_together(dynamodb: Stubber) -> None:
    key = {"pk": {"S": "counters#7"}, "sk": {"S": "a#000"}}
    page(dynamodb, "counters#7", 384, counter("a#000"), last=key)
    page(dynamodb, "counters#7", 384, counter("b#127"), start=key)
    arms = DynamoObservations(dynamodb.client, ROLLOUTS).arms(EPOCH)
    assert arms == {"a": {0: Tally(transactions=1)}, "b": {127: Tally(transactions=1)}}


def test_shadow_of_every_bucket_is_read_at_once(dynamodb: Stubber) -> None:
    keys = [f"pairs#{bucket:03d}" for bucket in range(128)] + ["latency#champion", "latency#challenger"]
    items = [{"pk": {"S": "shadow#7"}, "sk": {"S": key}} for key in keys]
    page(dynamodb, "shadow#7", 130, *items, last=items[-1])
    assert len(DynamoObservations(dynamodb.client, ROLLOUTS).shadow(EPOCH).pairs) == 128


def test_arms_without_an_end_are_unavailable(dynamodb: Stubber) -> None:
    key = {"pk": {"S": "counters#7"}, "sk": {"S": "a#000"}}
    for number in range(MOST_PAGES):
        page(dynamodb, "counters#7", 384, start=key if number else None, last=key)
    with pytest.raises(StoreUnavailable, match="counters#7 does not end"):
        DynamoObservations(dynamodb.client, ROLLOUTS).arms(EPOCH)


def test_observations_that_are_not_answered_are_unavailable(dynamodb: Stubber) -> None:
    observations = DynamoObservations(dynamodb.client, ROLLOUTS)
    for read in (observations.arms, observations.shadow):
        dynamodb.add_client_error("query", "ThrottlingException")
        with pytest.raises(StoreUnavailable):
            read(EPOCH)
