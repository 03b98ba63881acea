"""A refresh's record is the lock and moves by compare-and-set; no look takes the place of a later one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import Stubber
from msgspec.structs import replace

from fraud.aws import monitoring_items
from fraud.aws.monitoring_store import DynamoRefreshStore, DynamoWatchStore
from fraud.errors import MonitoringMoved, StoreUnavailable
from fraud.monitoring import Outcome, Refresh, Schedule, ScheduleStatus
from fraud.monitoring_plan import Plan
from fraud.monitoring_ports import RefreshStore, WatchStore
from tests.fakes.aws import ROLLOUTS
from tests.fakes.monitoring import DRIFTED, UNKNOWN, baseline, labels, refresh, refresh_store, watch, watch_store
from tests.fakes.samples import NOW
from tests.fakes.world import Stores


@pytest.fixture
def store(stores: Stores) -> RefreshStore:
    return refresh_store(stores)


@pytest.fixture
def watches(stores: Stores) -> WatchStore:
    return watch_store(stores)


def over(record: Refresh) -> Refresh:
    return record.ended(NOW + 60.5, Outcome.REFRESHED, "The baseline is new.")


def test_read_before_the_first_refresh_is_none(store: RefreshStore) -> None:
    assert store.read() is None


def test_begin_first_record_is_read_as_it_was_returned(store: RefreshStore) -> None:
    stored = store.begin(refresh(), None)
    assert stored == refresh(revision=1)
    assert store.read() == stored


def test_begin_every_field_is_kept(store: RefreshStore) -> None:
    scheduled = Schedule(endpoint="fraud-a", name="fraud-a-data-quality", status=ScheduleStatus.SCHEDULED, detail="–")
    given = refresh(
        trigger="the promotion of arn:m/3",
        plan=Plan(fairness=("channel", "country"), alpha=0.01, rebaseline=True),
        baseline=baseline(made_at=NOW + 0.25),
        made_baseline=True,
        schedules=(scheduled, replace(scheduled, endpoint="fraud-b", status=ScheduleStatus.REFUSED)),
        schedules_since=NOW + 0.5,
        changed_schedules=True,
        liveness="Nobody looks any more.",
        is_alive=False,
        outcome=Outcome.REFRESHED,
        sentence="It is new.",
        ended_at=NOW + 0.75,
    ).told(NOW, "Eine Frage – 1 %")
    assert store.begin(given, None) == store.read() == replace(given, revision=1)


def test_begin_second_record_beside_the_first_is_refused(store: RefreshStore) -> None:
    first = store.begin(refresh(), None)
    with pytest.raises(MonitoringMoved):
        store.begin(refresh(run_id="second", owner="another"), None)
    assert store.read() == first


def test_begin_in_the_place_of_the_previous_goes_on_counting_revisions(store: RefreshStore) -> None:
    previous = store.save(over(store.begin(refresh(), None)))
    stored = store.begin(refresh(run_id="second", owner="another"), previous)
    assert stored.revision == 3
    assert store.read() == stored


def test_begin_two_at_once_only_one_takes_the_lock(store: RefreshStore) -> None:
    previous = store.save(over(store.begin(refresh(), None)))
    winner = store.begin(refresh(run_id="second", owner="second"), previous)
    with pytest.raises(MonitoringMoved):
        store.begin(refresh(run_id="third", owner="third"), previous)
    assert store.read() == winner


@pytest.mark.parametrize("fields", [{"revision": 7}, {"owner": "another"}])
def test_begin_over_another_record_than_the_one_read_is_refused(store: RefreshStore, fields: dict[str, Any]) -> None:
    previous = store.begin(refresh(), None)
    with pytest.raises(MonitoringMoved):
        store.begin(refresh(owner="second"), replace(previous, **fields))
    assert store.read() == previous


def test_begin_over_a_record_that_is_gone_is_refused(store: RefreshStore) -> None:
    with pytest.raises(MonitoringMoved):
        store.begin(refresh(), refresh(revision=1))
    assert store.read() is None


def test_save_raises_the_revision(store: RefreshStore) -> None:
    saved = store.save(replace(store.begin(refresh(), None), liveness="alive"))
    assert (saved.revision, saved.liveness) == (2, "alive")
    assert store.read() == saved


def test_save_over_a_revision_that_moved_is_refused(store: RefreshStore) -> None:
    begun = store.begin(refresh(), None)
    saved = store.save(replace(begun, liveness="alive"))
    with pytest.raises(MonitoringMoved):
        store.save(replace(begun, liveness="silent"))
    assert store.read() == saved


def test_save_before_the_first_record_is_refused(store: RefreshStore) -> None:
    with pytest.raises(MonitoringMoved):
        store.save(refresh())
    assert store.read() is None


def test_watch_read_before_the_first_look_is_none(watches: WatchStore) -> None:
    assert watches.read() is None


def test_watch_every_field_is_kept(watches: WatchStore) -> None:
    given = watch(
        violations={"drift": 1, "quality": 0},
        findings=(DRIFTED, UNKNOWN),
        metrics={"DriftViolations": 1.0, "ScorePsi champion": 0.015625},
        labels=labels(),
        until=NOW + 0.123456,
    )
    assert watches.put(given) is True
    assert watches.read() == given


@pytest.mark.parametrize("until", [NOW, NOW + 0.25, NOW + 90_000], ids=["the same", "a moment later", "a day later"])
def test_watch_of_a_window_that_ended_no_earlier_takes_the_place(watches: WatchStore, until: float) -> None:
    watches.put(watch())
    later = watch(run_id="second", until=float(until))
    assert watches.put(later) is True
    assert watches.read() == later


@pytest.mark.parametrize("until", [NOW - 0.25, NOW - 90_000, 9.0])
def test_watch_of_a_window_that_ended_earlier_leaves_what_stands(watches: WatchStore, until: float) -> None:
    watches.put(watch())
    assert watches.put(watch(run_id="second", until=float(until), ended_at=NOW + 9_999.0)) is False
    assert watches.read() == watch()


def test_watch_put_again_is_kept_again(watches: WatchStore) -> None:
    assert [watches.put(watch()) for _ in range(2)] == [True, True]


def test_refresh_and_watch_lie_beside_each_other(stores: Stores) -> None:
    store, watches = refresh_store(stores), watch_store(stores)
    stored = store.begin(refresh(), None)
    watches.put(watch())
    assert (store.read(), watches.read()) == (stored, watch())


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    with Stubber(boto3.client("dynamodb")) as stub:
        yield stub
        stub.assert_no_pending_responses()


Write = Callable[[DynamoRefreshStore], Refresh]
WRITES = pytest.mark.parametrize(
    "write",
    [
        lambda store: store.begin(refresh(), None),
        lambda store: store.begin(refresh(), refresh(revision=3)),
        lambda store: store.save(over(refresh(revision=3))),
    ],
    ids=["begin the first", "begin another", "save"],
)


def cancelled(stub: Stubber, code: str) -> None:
    stub.add_client_error(
        "transact_write_items",
        "TransactionCanceledException",
        modeled_fields={"CancellationReasons": [{"Code": code}]},
    )


@WRITES
@pytest.mark.parametrize("code", ["ProvisionedThroughputExceeded", "ThrottlingError"])
def test_write_cancelled_because_nobody_could_write_is_unavailable(dynamodb: Stubber, write: Write, code: str) -> None:
    cancelled(dynamodb, code)
    with pytest.raises(StoreUnavailable):
        write(DynamoRefreshStore(dynamodb.client, ROLLOUTS))


@WRITES
@pytest.mark.parametrize("code", ["ConditionalCheckFailed", "TransactionConflict"])
def test_write_cancelled_by_somebody_who_writes_moved(dynamodb: Stubber, write: Write, code: str) -> None:
    cancelled(dynamodb, code)
    with pytest.raises(MonitoringMoved):
        write(DynamoRefreshStore(dynamodb.client, ROLLOUTS))


@WRITES
def test_write_that_is_not_answered_is_unavailable(dynamodb: Stubber, write: Write) -> None:
    dynamodb.add_client_error("transact_write_items", "InternalServerError")
    with pytest.raises(StoreUnavailable, match=r"^TransactWriteItems: InternalServerError$"):
        write(DynamoRefreshStore(dynamodb.client, ROLLOUTS))


@pytest.mark.parametrize("kind", [DynamoRefreshStore, DynamoWatchStore])
def test_read_that_is_not_answered_is_unavailable(dynamodb: Stubber, kind: Any) -> None:
    dynamodb.add_client_error("get_item", "ProvisionedThroughputExceededException")
    with pytest.raises(StoreUnavailable):
        kind(dynamodb.client, ROLLOUTS).read()


@pytest.mark.parametrize(("kind", "name"), [(DynamoRefreshStore, "refresh"), (DynamoWatchStore, "watch")])
def test_read_is_consistent(dynamodb: Stubber, kind: Any, name: str) -> None:
    key = {"pk": {"S": "monitoring"}, "sk": {"S": name}}
    dynamodb.add_response("get_item", {}, {"TableName": ROLLOUTS, "Key": key, "ConsistentRead": True})
    assert kind(dynamodb.client, ROLLOUTS).read() is None


@pytest.mark.parametrize("code", ["InternalServerError", "TransactionConflictException", "ThrottlingException"])
def test_watch_that_is_not_known_to_be_kept_is_unavailable(dynamodb: Stubber, code: str) -> None:
    dynamodb.add_client_error("put_item", code)
    with pytest.raises(StoreUnavailable, match=f"^PutItem: {code}$"):
        DynamoWatchStore(dynamodb.client, ROLLOUTS).put(watch())


def test_watch_without_a_connection_is_unavailable() -> None:
    class Client:
        def put_item(self, **request: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://example.com")

    with pytest.raises(StoreUnavailable, match=r"^PutItem: EndpointConnectionError$"):
        DynamoWatchStore(Client(), ROLLOUTS).put(watch())


def test_items_lie_where_people_and_the_command_look_for_them() -> None:
    record = over(refresh(revision=3))
    item = monitoring_items.encode_refresh(record)
    document = item["document"]
    assert item == {
        "pk": {"S": "monitoring"},
        "sk": {"S": "refresh"},
        "revision": {"N": "3"},
        "owner": {"S": record.owner},
        "outcome": {"S": "refreshed"},
        "ended": {"BOOL": True},
        "document": document,
    }
    assert json.loads(document["S"])["sentence"] == "The baseline is new."
    looked = monitoring_items.encode_watch(watch())
    assert looked | {"document": {}} == {
        "pk": {"S": "monitoring"},
        "sk": {"S": "watch"},
        "until": {"N": str(float(NOW))},
        "document": {},
    }
    assert json.loads(looked["document"]["S"])["run_id"] == "look"


def test_items_of_a_refresh_under_way_say_so() -> None:
    item = monitoring_items.encode_refresh(refresh())
    assert (item["outcome"], item["ended"]) == ({"S": "under way"}, {"BOOL": False})
