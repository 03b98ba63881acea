"""A retraining's record is the lock: it moves by compare-and-set, and what is over is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from msgspec.structs import replace

from fraud.aws import retraining_items
from fraud.aws.retraining_store import DynamoRetrainingStore
from fraud.errors import RetrainingMoved, StoreUnavailable
from fraud.retraining import Kind, Outcome, Retraining, Trigger
from fraud.retraining_plan import Plan
from fraud.retraining_ports import RetrainingStore
from tests.fakes.aws import ROLLOUTS, AwsStores
from tests.fakes.retraining import MemoryRetrainingStore, retraining, retraining_store
from tests.fakes.samples import NOW
from tests.fakes.world import Stores


@pytest.fixture
def store(stores: Stores) -> RetrainingStore:
    return retraining_store(stores)


def past(stores: Stores, store: RetrainingStore) -> list[Retraining]:
    """The history, oldest first."""
    if isinstance(store, MemoryRetrainingStore):
        return [each for _, each in sorted(store.past.items())]
    assert isinstance(stores, AwsStores)
    answer = stores.dynamodb.query(
        TableName=ROLLOUTS, KeyConditionExpression="pk = :pk", ExpressionAttributeValues={":pk": {"S": "retrainings"}}
    )
    return [retraining_items.decode(item) for item in answer["Items"]]


def over(record: Retraining) -> Retraining:
    return record.ended(NOW + 60.5, Outcome.PROMOTE, "It is better.")


def test_read_before_the_first_run_is_none(store: RetrainingStore) -> None:
    assert store.read() is None


def test_begin_first_record_is_read_as_it_was_returned(store: RetrainingStore) -> None:
    stored = store.begin(retraining(), None)
    assert stored == retraining(revision=1)
    assert store.read() == stored


def test_begin_every_field_is_kept(store: RetrainingStore) -> None:
    given = retraining(
        trigger=Trigger(kind=Kind.ALARM, name="stack-retrain-drift", at=NOW + 0.25),
        as_of=NOW + 0.5,
        plan=Plan(hyperparameters={"eta": 0.1, "max_depth": 6, "booster": "dart"}, fairness=("channel", "country")),
        champion="arn:m/3",
        source="history",
        outcome=Outcome.SHADOW_ONLY,
        sentence="It cannot be told.",
        model_package="arn:m/4",
        ended_at=NOW + 0.75,
    ).told(NOW, "Eine Frage – 1 %")
    assert store.begin(given, None) == store.read() == replace(given, revision=1)


def test_begin_second_record_beside_the_first_is_refused(store: RetrainingStore) -> None:
    first = store.begin(retraining(), None)
    with pytest.raises(RetrainingMoved):
        store.begin(retraining(run_id="second", owner="another"), None)
    assert store.read() == first


def test_begin_in_the_place_of_the_previous_goes_on_counting_revisions(store: RetrainingStore) -> None:
    previous = store.save(over(store.begin(retraining(), None)))
    stored = store.begin(retraining(run_id="second", owner="another"), previous)
    assert stored.revision == 3
    assert store.read() == stored


def test_begin_two_at_once_only_one_takes_the_lock(store: RetrainingStore) -> None:
    previous = store.save(over(store.begin(retraining(), None)))
    winner = store.begin(retraining(run_id="second", owner="second"), previous)
    with pytest.raises(RetrainingMoved):
        store.begin(retraining(run_id="third", owner="third"), previous)
    assert store.read() == winner


@pytest.mark.parametrize("fields", [{"revision": 7}, {"owner": "another"}])
def test_begin_over_another_record_than_the_one_read_is_refused(store: RetrainingStore, fields: dict[str, Any]) -> None:
    previous = store.begin(retraining(), None)
    with pytest.raises(RetrainingMoved):
        store.begin(retraining(owner="second"), replace(previous, **fields))
    assert store.read() == previous


def test_begin_over_a_record_that_is_gone_is_refused(store: RetrainingStore) -> None:
    with pytest.raises(RetrainingMoved):
        store.begin(retraining(), retraining(revision=1))
    assert store.read() is None


def test_save_raises_the_revision(store: RetrainingStore) -> None:
    saved = store.save(replace(store.begin(retraining(), None), source="simulator"))
    assert (saved.revision, saved.source) == (2, "simulator")
    assert store.read() == saved


def test_save_over_a_revision_that_moved_is_refused(store: RetrainingStore) -> None:
    begun = store.begin(retraining(), None)
    saved = store.save(replace(begun, source="history"))
    with pytest.raises(RetrainingMoved):
        store.save(replace(begun, source="simulator"))
    assert store.read() == saved


def test_save_before_the_first_record_is_refused(store: RetrainingStore) -> None:
    with pytest.raises(RetrainingMoved):
        store.save(retraining())
    assert store.read() is None


def test_save_of_a_run_that_is_over_is_kept_in_the_history(stores: Stores, store: RetrainingStore) -> None:
    begun = store.begin(retraining(), None)
    assert past(stores, store) == []
    ended = store.save(over(begun))
    assert past(stores, store) == [ended]
    assert store.read() == ended


def test_save_outcome_before_the_end_is_no_history_yet(stores: Stores, store: RetrainingStore) -> None:
    store.save(replace(store.begin(retraining(), None), outcome=Outcome.REJECT))
    assert past(stores, store) == []


def test_save_history_is_in_the_order_of_starts_and_one_record_each(stores: Stores, store: RetrainingStore) -> None:
    last = None
    for number, start in enumerate((NOW, NOW + 0.5, NOW + 100_000_000)):
        begun = store.begin(retraining(run_id=f"r{number}", started_at=float(start)), last)
        last = store.save(store.save(over(begun)))
    assert [(each.run_id, each.revision) for each in past(stores, store)] == [("r0", 3), ("r1", 6), ("r2", 9)]


def test_save_refused_leaves_the_history_alone(stores: Stores, store: RetrainingStore) -> None:
    begun = store.begin(retraining(), None)
    store.save(begun)
    with pytest.raises(RetrainingMoved):
        store.save(over(begun))
    assert past(stores, store) == []


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    with Stubber(boto3.client("dynamodb")) as stub:
        yield stub
        stub.assert_no_pending_responses()


Write = Callable[[DynamoRetrainingStore], Retraining]
WRITES = pytest.mark.parametrize(
    "write",
    [
        lambda store: store.begin(retraining(), None),
        lambda store: store.begin(retraining(), retraining(revision=3)),
        lambda store: store.save(over(retraining(revision=3))),
    ],
    ids=["begin the first", "begin another", "save"],
)


def cancelled(stub: Stubber, *codes: str) -> None:
    reasons = [{"Code": code} for code in codes]
    stub.add_client_error(
        "transact_write_items", "TransactionCanceledException", modeled_fields={"CancellationReasons": reasons}
    )


@WRITES
@pytest.mark.parametrize("codes", [("ProvisionedThroughputExceeded", "None"), ("None", "ThrottlingError")])
def test_write_cancelled_because_nobody_could_write_is_unavailable(
    dynamodb: Stubber, write: Write, codes: tuple[str, ...]
) -> None:
    cancelled(dynamodb, *codes)
    with pytest.raises(StoreUnavailable):
        write(DynamoRetrainingStore(dynamodb.client, ROLLOUTS))


@WRITES
@pytest.mark.parametrize(
    "codes",
    [
        ("ConditionalCheckFailed", "None"),
        ("TransactionConflict", "ConditionalCheckFailed"),
        ("TransactionConflict", "None"),
        ("None", "TransactionConflict"),
    ],
)
def test_write_cancelled_by_somebody_who_writes_moved(dynamodb: Stubber, write: Write, codes: tuple[str, ...]) -> None:
    cancelled(dynamodb, *codes)
    with pytest.raises(RetrainingMoved):
        write(DynamoRetrainingStore(dynamodb.client, ROLLOUTS))


@WRITES
def test_write_that_is_not_answered_is_unavailable(dynamodb: Stubber, write: Write) -> None:
    dynamodb.add_client_error("transact_write_items", "InternalServerError")
    with pytest.raises(StoreUnavailable, match=r"^TransactWriteItems: InternalServerError$"):
        write(DynamoRetrainingStore(dynamodb.client, ROLLOUTS))


def test_read_that_is_not_answered_is_unavailable(dynamodb: Stubber) -> None:
    dynamodb.add_client_error("get_item", "ProvisionedThroughputExceededException")
    with pytest.raises(StoreUnavailable):
        DynamoRetrainingStore(dynamodb.client, ROLLOUTS).read()


def test_read_is_consistent(dynamodb: Stubber) -> None:
    key = {"pk": {"S": "retraining"}, "sk": {"S": "current"}}
    dynamodb.add_response("get_item", {}, {"TableName": ROLLOUTS, "Key": key, "ConsistentRead": True})
    assert DynamoRetrainingStore(dynamodb.client, ROLLOUTS).read() is None


def test_items_lie_where_people_and_the_command_look_for_them() -> None:
    record = over(retraining(started_at=NOW + 0.5, revision=3))
    item = retraining_items.encode(record)
    document = item["document"]
    assert item == {
        "pk": {"S": "retraining"},
        "sk": {"S": "current"},
        "revision": {"N": "3"},
        "owner": {"S": record.owner},
        "outcome": {"S": "promote"},
        "ended": {"BOOL": True},
        "document": document,
    }
    assert json.loads(document["S"])["trigger"] == {"kind": "person", "name": "ada", "at": NOW}
    past_key = {"pk": {"S": "retrainings"}, "sk": {"S": "2025-06-15T15:06:40.500Z#first"}}
    assert retraining_items.encode_past(record) == item | past_key


def test_items_of_a_run_under_way_say_so() -> None:
    item = retraining_items.encode(retraining())
    assert (item["outcome"], item["ended"]) == ({"S": "under way"}, {"BOOL": False})
