"""A rollout's record moves by compare-and-set, and the routing item with it or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace as with_fields
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from msgspec.structs import replace

from fraud.analysis import Outcome, Verdict
from fraud.aws import rollout_items
from fraud.aws.rollout_store import DynamoRolloutStore
from fraud.errors import RolloutMoved, StoreUnavailable
from fraud.rollout import ApprovalRequest, Rollout, Stage
from fraud.rollout_plan import Gates, Plan
from fraud.rollout_ports import RolloutStore
from fraud.routing import Routing
from tests.fakes import rollouts, samples
from tests.fakes.aws import ROLLOUTS, AwsStores
from tests.fakes.rollouts import MemoryRolloutStore, rollout
from tests.fakes.samples import NOW
from tests.fakes.world import Stores

STEADY = samples.routing(epoch=1)


@pytest.fixture
def store(stores: Stores) -> RolloutStore:
    return rollouts.rollout_store(stores)


@pytest.fixture
def routing(stores: Stores) -> Callable[[], Routing | None]:
    """The routing item as scoring reads it."""
    return lambda: stores.ports().state.read([]).routing


def past(stores: Stores, store: RolloutStore) -> list[Rollout]:
    """The history, oldest first."""
    if isinstance(store, MemoryRolloutStore):
        return [each for _, each in sorted(store.past.items())]
    assert isinstance(stores, AwsStores)
    answer = stores.dynamodb.query(
        TableName=ROLLOUTS, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "rollouts"}}
    )
    return [rollout_items.decode(item) for item in answer["Items"]]


def test_read_before_the_first_rollout_is_none(store: RolloutStore) -> None:
    assert store.read() is None


def test_begin_first_record_is_read_as_it_was_returned(store: RolloutStore) -> None:
    stored = store.begin(rollout(), None)
    assert stored == rollout(revision=1)
    assert store.read() == stored


def test_begin_every_field_is_kept(store: RolloutStore) -> None:
    question = ApprovalRequest(
        request_id="q", token="t", step=1, requested_at=NOW + 0.25, asked_since=NOW - 0.25, approved_by="ada"
    )
    verdict = Verdict(
        gate="errors", outcome=Outcome.FAIL, sentence="s", observed=0.1, limit=None, count=3, advisory=True
    )
    given = rollout(
        champion=None,
        plan=Plan(steps_bps=(1, 2), approval="before_full", gates=Gates(advisory=("latency",), error_rate=0.5)),
        stage=Stage.APPROVAL,
        step=0,
        paused_at=NOW + 0.5,
        paused_by="bob",
        approval=question,
        verdicts=(verdict,),
    ).told(NOW, "Eine Frage – 1 %")
    assert store.begin(given, None) == store.read() == replace(given, revision=1)


def test_begin_second_record_beside_the_first_is_refused(store: RolloutStore) -> None:
    first = store.begin(rollout(), None)
    with pytest.raises(RolloutMoved):
        store.begin(rollout(rollout_id="second", owner="another"), None)
    assert store.read() == first


def test_begin_in_the_place_of_the_previous_goes_on_counting_revisions(store: RolloutStore) -> None:
    previous = store.save(store.begin(rollout(), None))
    stored = store.begin(rollout(rollout_id="second", owner="another"), previous)
    assert stored.revision == 3
    assert store.read() == stored


def test_begin_two_at_once_only_one_takes_the_lock(store: RolloutStore) -> None:
    previous = store.begin(rollout(), None)
    winner = store.begin(rollout(rollout_id="second", owner="second"), previous)
    with pytest.raises(RolloutMoved):
        store.begin(rollout(rollout_id="third", owner="third"), previous)
    assert store.read() == winner


@pytest.mark.parametrize("fields", [{"revision": 7}, {"owner": "another"}])
def test_begin_over_another_record_than_the_one_read_is_refused(store: RolloutStore, fields: dict[str, Any]) -> None:
    previous = store.begin(rollout(), None)
    with pytest.raises(RolloutMoved):
        store.begin(rollout(owner="second"), replace(previous, **fields))
    assert store.read() == previous


def test_begin_over_a_record_that_is_gone_is_refused(store: RolloutStore) -> None:
    with pytest.raises(RolloutMoved):
        store.begin(rollout(), rollout(revision=1))
    assert store.read() is None


def test_save_raises_the_revision(store: RolloutStore) -> None:
    begun = store.begin(rollout(), None)
    saved = store.save(replace(begun, stage=Stage.SHADOW))
    assert (saved.revision, saved.stage) == (2, Stage.SHADOW)
    assert store.read() == saved


def test_save_over_a_revision_that_moved_is_refused(store: RolloutStore) -> None:
    begun = store.begin(rollout(), None)
    saved = store.save(replace(begun, stage=Stage.SHADOW))
    with pytest.raises(RolloutMoved):
        store.save(replace(begun, stage=Stage.SOAK))
    assert store.read() == saved


def test_save_before_the_first_record_is_refused(store: RolloutStore) -> None:
    with pytest.raises(RolloutMoved):
        store.save(rollout())
    assert store.read() is None


def test_save_released_record_is_kept_in_the_history(stores: Stores, store: RolloutStore) -> None:
    begun = store.begin(rollout(), None)
    assert past(stores, store) == []
    released = store.save(replace(begun, released=True))
    assert past(stores, store) == [released]
    assert store.read() == released


def test_save_history_is_in_the_order_of_starts_and_one_record_each(stores: Stores, store: RolloutStore) -> None:
    last = None
    for number, start in enumerate((NOW, NOW + 0.5, NOW + 100_000_000)):
        begun = store.begin(rollout(rollout_id=f"r{number}", started_at=float(start)), last)
        last = store.save(store.save(replace(begun, released=True)))
    assert [(each.rollout_id, each.revision) for each in past(stores, store)] == [("r0", 3), ("r1", 6), ("r2", 9)]


def test_save_refused_leaves_the_history_alone(stores: Stores, store: RolloutStore) -> None:
    begun = store.begin(rollout(), None)
    store.save(begun)
    with pytest.raises(RolloutMoved):
        store.save(replace(begun, released=True))
    assert past(stores, store) == []


def test_commit_first_routing_item_goes_over_none(store: RolloutStore, routing: Callable[[], Routing | None]) -> None:
    committed = store.commit(replace(store.begin(rollout(), None), epoch=1), STEADY)
    assert (committed.revision, committed.epoch) == (2, 1)
    assert store.read() == committed
    assert routing() == STEADY


def test_commit_next_routing_item_is_what_scoring_reads(
    store: RolloutStore, stores: Stores, routing: Callable[[], Routing | None]
) -> None:
    stores.set_routing(samples.routing(epoch=7))
    shifted = samples.routing(epoch=8, challenger="b", share_bps=500, shadow_bps=100)
    store.commit(store.begin(rollout(), None), shifted)
    assert routing() == shifted
    store.commit(store.begin(rollout(), store.read()), with_fields(shifted, epoch=9, challenger=None))
    assert routing() == with_fields(shifted, epoch=9, challenger=None)


@pytest.mark.parametrize(("standing", "epoch"), [(None, 2), (7, 1), (7, 7), (7, 9)])
def test_commit_over_another_epoch_writes_neither(
    store: RolloutStore,
    stores: Stores,
    routing: Callable[[], Routing | None],
    standing: int | None,
    epoch: int,
) -> None:
    before = None if standing is None else samples.routing(epoch=standing)
    if before is not None:
        stores.set_routing(before)
    begun = store.begin(rollout(), None)
    with pytest.raises(RolloutMoved):
        store.commit(replace(begun, stage=Stage.CANARY), samples.routing(epoch=epoch, salt="new"))
    assert store.read() == begun
    assert routing() == before


def test_commit_over_a_revision_that_moved_writes_neither(
    store: RolloutStore, routing: Callable[[], Routing | None]
) -> None:
    begun = store.begin(rollout(), None)
    saved = store.save(begun)
    with pytest.raises(RolloutMoved):
        store.commit(begun, STEADY)
    assert store.read() == saved
    assert routing() is None


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    with Stubber(boto3.client("dynamodb")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def cancelled(stub: Stubber, *codes: str) -> None:
    reasons = [{"Code": code} for code in codes]
    stub.add_client_error(
        "transact_write_items", "TransactionCanceledException", modeled_fields={"CancellationReasons": reasons}
    )


def commit(stub: Stubber) -> Rollout:
    return DynamoRolloutStore(stub.client, ROLLOUTS).commit(rollout(revision=1), STEADY)


@pytest.mark.parametrize("codes", [("ProvisionedThroughputExceeded", "None"), ("None", "ThrottlingError")])
def test_commit_cancelled_because_nobody_could_write_is_unavailable(dynamodb: Stubber, codes: tuple[str, ...]) -> None:
    cancelled(dynamodb, *codes)
    with pytest.raises(StoreUnavailable):
        commit(dynamodb)


@pytest.mark.parametrize(
    "codes",
    [
        ("ConditionalCheckFailed", "None"),
        ("TransactionConflict", "ConditionalCheckFailed"),
        ("TransactionConflict", "None"),
        ("None", "TransactionConflict"),
    ],
)
def test_commit_cancelled_by_somebody_who_writes_moved(dynamodb: Stubber, codes: tuple[str, ...]) -> None:
    cancelled(dynamodb, *codes)
    with pytest.raises(RolloutMoved):
        commit(dynamodb)


def test_store_that_does_not_answer_is_unavailable(dynamodb: Stubber) -> None:
    store = DynamoRolloutStore(dynamodb.client, ROLLOUTS)
    dynamodb.add_client_error("get_item", "ProvisionedThroughputExceededException")
    with pytest.raises(StoreUnavailable):
        store.read()
    for write in (lambda: store.begin(rollout(), None), lambda: store.save(rollout())):
        dynamodb.add_client_error("transact_write_items", "InternalServerError")
        with pytest.raises(StoreUnavailable):
            write()


def test_read_is_consistent(dynamodb: Stubber) -> None:
    key = {"pk": {"S": "rollout"}, "sk": {"S": "current"}}
    dynamodb.add_response("get_item", {}, {"TableName": ROLLOUTS, "Key": key, "ConsistentRead": True})
    assert DynamoRolloutStore(dynamodb.client, ROLLOUTS).read() is None


def test_items_lie_where_people_and_the_command_look_for_them() -> None:
    record = rollout(started_at=NOW + 0.5, revision=3, stage=Stage.PROMOTED, released=True)
    item = rollout_items.encode(record)
    document = item["document"]
    assert item == {
        "pk": {"S": "rollout"},
        "sk": {"S": "current"},
        "revision": {"N": "3"},
        "owner": {"S": record.owner},
        "stage": {"S": "promoted"},
        "released": {"BOOL": True},
        "document": document,
    }
    assert json.loads(document["S"])["candidate"]["slot"] == "b"
    past_key = {"pk": {"S": "rollouts"}, "sk": {"S": "2025-06-15T15:06:40.500Z#first"}}
    assert rollout_items.encode_past(record) == item | past_key
