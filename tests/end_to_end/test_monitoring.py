"""Monitoring on the real template: a quiet market, and four that are not; `{}` as from the console."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from cli import backfill, demo, deploy, training
from cli.history import History
from cli.target import Target
from fraud import monitoring_findings
from fraud.monitoring import Refresh, ScheduleStatus, Watch
from fraud.monitoring_findings import Findings
from model.dataset import Dataset
from model.simulator import Simulation, SimulationConfig, label_events, simulate, transaction_events
from tests.end_to_end.test_retraining import PATIENCE, Retrainings
from tests.local.conftest import ROOT, eventually, start

CARDS, LEARNED, WARMED = 420, 28, 4
DAYS = {"quiet": 3, "vanished": 3, "upstream": 3, "amounts": 3, "fraud": 7, "lost": 2}
"""Parts of the market that are streamed one after the other, and how many days each has."""
ATTRIBUTIONS = "feature_attribution_drift_check"
SMALL_FRAUDS = 200
MACHINES = '{"instance_type": "ml.m5.large"}'
"""A serverless endpoint, which the minimal profile has, captures nothing for Model Monitor."""
PLAN = {"quality_days": 9, "maturity_days": 1, "fewest_frauds": 10}
Change = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Looked:
    """What a look at a part came to."""

    last: str
    findings: Findings
    watch: Watch

    def violated(self, concern: str) -> set[tuple[str, str]]:
        """Checks of a concern that are violated, each with what it is about."""
        return {(each.check, each.name) for each in self.findings.violations if each.concern.value == concern}


@dataclass(frozen=True)
class Model:
    """A trained model, and what it was trained on."""

    dataset: Dataset
    out: Path


class Monitored(Retrainings):
    """A running stack that is watched."""

    def target(self) -> Target:
        return Target(self.running.stack_name, self.running.url, "us-east-1")

    # --- Executions ---------------------------------------------------------------------------------------------------

    def begin(self, machine: str, given: dict[str, Any] | None = None) -> str:
        """Start an execution as from the console; its ARN."""
        arn = self.outputs[machine]
        return str(self.states.start_execution(stateMachineArn=arn, input=json.dumps(given or {}))["executionArn"])

    def refreshed(self, given: dict[str, Any] | None = None) -> tuple[str, str]:
        """Last state and sentence of a refresh."""
        status, last, said = self.came_to(self.begin("MonitoringMachineArn", given))
        assert status == "SUCCEEDED", said
        return last, said

    def until_promoted_is_watched(self) -> None:
        """Wait for the refresh that the promotion asked for."""

        def over() -> bool:
            return bool([each for each in self.begun("MonitoringMachineArn") if each["status"] == "SUCCEEDED"])

        eventually(over, PATIENCE)

    def begun(self, machine: str) -> list[dict[str, Any]]:
        """Executions of a machine, newest first, each with its input."""
        found = self.states.list_executions(stateMachineArn=self.outputs[machine])["executions"]
        described = [self.states.describe_execution(executionArn=each["executionArn"]) for each in found]
        return sorted(described, key=lambda each: each["startDate"], reverse=True)

    # --- Traffic ------------------------------------------------------------------------------------------------------

    def stream(self, part: Simulation, change: Change | None = None) -> tuple[str, str]:
        """Put a part of the market and its verdicts, each event changed; the window in which it arrived."""
        since, before = datetime.now(UTC), (self.archived("decisions/"), self.archived("labels/"))
        events = transaction_events(part.transactions)
        self.spine.put_events([change(each) if change else each for each in events])
        eventually(lambda: self.archived("decisions/") >= before[0] + len(part.transactions), PATIENCE)
        queue, labels, sqs = self.outputs["LabelQueueUrl"], label_events(part.labels), self.running.client("sqs")
        while some := list(islice(labels, 10)):
            entries = [{"Id": str(n), "MessageBody": json.dumps(each)} for n, each in enumerate(some)]
            assert not sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed")
        eventually(lambda: self.archived("labels/") >= before[1] + len(part.labels), PATIENCE)
        return since.isoformat(), datetime.now(UTC).isoformat()

    # --- Looking ------------------------------------------------------------------------------------------------------

    def look(self, window: tuple[str, str], **plan: Any) -> Looked:
        """Look at what arrived in a window."""
        since, until = window
        execution = self.begin("DriftMachineArn", {"since": since, "until": until, "plan": PLAN | plan})
        status, last, said = self.came_to(execution)
        assert status == "SUCCEEDED", said
        watch = self.watch()
        assert watch.execution == execution
        return Looked(last, monitoring_findings.parse(self.read(f"{watch.uri}monitoring.json")), watch)

    def watch(self) -> Watch:
        item = self._item("monitoring", "watch")
        assert item is not None
        return msgspec.json.decode(item["document"]["S"], type=Watch)

    def refresh(self) -> Refresh:
        item = self._item("monitoring", "refresh")
        assert item is not None
        return msgspec.json.decode(item["document"]["S"], type=Refresh)

    def alarmed(self) -> set[str]:
        """Alarms that are on, by what their names end with, or their logical ids."""
        alarms = self.cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
        return {each["AlarmName"].removeprefix(f"{self.running.stack_name}-").split("-")[-1] for each in alarms}

    def is_on(self, end: str) -> bool:
        found = self.cloudwatch.describe_alarms(StateValue="ALARM")["MetricAlarms"]
        return any(end in each["AlarmName"] for each in found)


def market() -> dict[str, Simulation]:
    """A market cut into what is learned from, and its parts."""
    streamed = WARMED + sum(DAYS.values())
    end = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)
    size = SimulationConfig(
        start=end - timedelta(days=LEARNED + streamed), days=LEARNED + streamed, cards=CARDS, terminals=2 * CARDS,
        fraud_rate=0.03, chargeback_days=(0.2, 0.9),
    )  # fmt: skip
    left, parts = simulate(size), {}
    moment = size.start
    for name, days in {"learned": LEARNED, "warm": WARMED, **DAYS}.items():
        moment += timedelta(days=days)
        parts[name], left = left.cut(moment)
    return parts


@pytest.fixture(scope="module")
def parts() -> dict[str, Simulation]:
    return market()


@pytest.fixture(scope="module")
def model(parts: dict[str, Simulation], tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Trained on the past."""
    learned, out = parts["learned"], tmp_path_factory.mktemp("model")
    dataset = training.assemble(
        History(learned.transactions, learned.labels, learned.transactions["occurred_at"][-1].as_py())
    )
    training.fit(dataset, out)
    return Model(dataset, out)


@pytest.fixture(scope="module")
def stack(model: Model) -> Iterator[Monitored]:
    """One stack for all of them, in the order of the tests; a first model serves, and cards are no strangers."""
    running = start(ROOT / "template.yaml", "monitored", RetrainingReminderState="DISABLED", RolloutPlan=MACHINES)
    try:
        stack = Monitored(running)
        backfill.backfill(stack.target(), model.dataset)
        put_in_service(stack, model)
        yield stack
    finally:
        assert running.stop() == 0


def put_in_service(stack: Monitored, model: Model) -> None:
    """Register and promote a model."""
    target = stack.target()
    package = deploy.enlist(deploy.registry(target), model.out, approve=True)
    deploy.roll_out(target, package, lambda _: None, None, by_event=True, every=demo.LOOK_EVERY)


# --- The refresh ------------------------------------------------------------------------------------------------------


def test_promotion_gives_the_model_a_baseline_and_a_schedule(stack: Monitored) -> None:
    stack.until_promoted_is_watched()
    assert json.loads(stack.begun("MonitoringMachineArn")[-1]["input"]) == {"trigger": "promotion"}
    refresh = stack.refresh()
    assert refresh.baseline is not None
    assert (refresh.champion, refresh.baseline.champion, refresh.baseline.rows) == (*[stack.champion()] * 2, 0)
    schedules = {each.endpoint: each.status for each in refresh.schedules}
    assert schedules[stack.outputs["EndpointSlotA"]] is ScheduleStatus.SCHEDULED
    found = stack.sagemaker.describe_monitoring_schedule(MonitoringScheduleName=refresh.schedules[0].name)
    assert found["MonitoringScheduleStatus"] == "Scheduled"
    for name in ("statistics.json", "constraints.json", "baseline.json"):
        assert json.loads(stack.read(f"{refresh.baseline.uri}{name}"))


def test_refresh_again_with_an_empty_input_changes_nothing(stack: Monitored) -> None:
    before = stack.refresh()
    last, said = stack.refreshed()
    assert last == "Nothing to change", said
    assert (stack.refresh().baseline, stack.refresh().schedules) == (before.baseline, before.schedules)


def test_refresh_once_there_is_traffic_learns_its_fields(stack: Monitored, parts: dict[str, Simulation]) -> None:
    stack.stream(parts["warm"])
    last, said = stack.refreshed({})
    assert last == "Monitoring refreshed", said
    baseline = stack.refresh().baseline
    assert baseline is not None
    assert baseline.rows == len(parts["warm"].transactions)
    assert stack.refreshed()[0] == "Nothing to change"


# --- Looks ------------------------------------------------------------------------------------------------------------


def test_unchanged_traffic_violates_nothing(stack: Monitored, parts: dict[str, Simulation]) -> None:
    found = stack.look(stack.stream(parts["quiet"]))
    assert found.last == "Nothing changed", found.findings.sentence
    assert found.findings.rows == len(parts["quiet"].transactions)
    judged = {each.check for each in found.findings.findings if each.outcome != "skipped"}
    assert judged >= {"baseline_drift_check", "completeness_check", "score_drift_check", "parity_check", ATTRIBUTIONS}
    assert not stack.is_on("-retrain-") and not stack.is_on("DataQualityAlarm")
    assert b"<html" in stack.read(f"{found.watch.uri}report.html").lower()


def test_vanished_field_calls_people_and_asks_for_no_model(stack: Monitored, parts: dict[str, Simulation]) -> None:
    def without(event: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in event.items() if name != "channel"}

    found = stack.look(stack.stream(parts["vanished"], without))
    assert {("completeness_check", "channel"), ("missing_column_check", "channel")} & found.violated("data")
    assert not found.violated("drift")
    eventually(lambda: stack.is_on("DataQualityAlarm"), PATIENCE)


def test_broken_upstream_calls_people_and_asks_for_no_model(stack: Monitored, parts: dict[str, Simulation]) -> None:
    found = stack.look(stack.stream(parts["upstream"], lambda event: event | {"country": "ZZ"}))
    assert found.violated("data") >= {("categorical_values_check", "country")}
    assert not found.violated("drift") and not stack.is_on("retrain-drift")


def test_shifted_amounts_are_drift_whose_alarm_starts_one_retraining(
    stack: Monitored, parts: dict[str, Simulation]
) -> None:
    window = stack.stream(parts["amounts"], lambda event: event | {"amount_minor": int(event["amount_minor"]) * 3})
    found = stack.look(window)
    assert found.last == "Violations found"
    assert ("baseline_drift_check", "transaction_amount") in found.violated("drift")
    assert found.violated("data") == set()
    # What is decided of three times the amounts differs as well.
    assert ("decision_rate_check", "block") in found.violated("upkeep")
    eventually(lambda: stack.is_on("retrain-drift"), PATIENCE)

    def asked() -> list[Any]:
        inputs = [json.loads(each["input"]) for each in stack.begun("RetrainingMachineArn")]
        return [each for each in inputs if each.get("alarm", "").endswith("retrain-drift")]

    eventually(asked, PATIENCE)
    stack.look(window)
    assert len(asked()) == 1


def test_new_kind_of_fraud_is_a_loss_of_quality_once_its_verdicts_are_there(
    stack: Monitored, parts: dict[str, Simulation]
) -> None:
    found = stack.look(stack.stream(with_small_frauds(parts["fraud"])))
    assert "model_quality_check" in {check for check, _ in found.violated("quality")}, found.findings.sentence
    eventually(lambda: stack.is_on("retrain-model-quality"), PATIENCE)
    labels = found.watch.labels
    assert labels is not None and labels.by_source["chargeback"].frauds > labels.by_source["review"].frauds > 0


def with_small_frauds(part: Simulation) -> Simulation:
    """The same part, in which small payments of many cards turn out to be frauds as well: a kind that nobody knew."""
    rows = part.transactions.filter(pc.invert(part.transactions["is_fraud"])).sort_by("amount_minor")
    firsts = {token: number for number, token in reversed(list(enumerate(rows["card_token"].to_pylist())))}
    chosen = rows.take(sorted(firsts.values())[:SMALL_FRAUDS])
    labels = pa.table(
        {
            "transaction_id": chosen["transaction_id"],
            "is_fraud": pa.array([True] * len(chosen)),
            "source": pa.array(["chargeback"] * len(chosen)),
            "labelled_at": pc.add(chosen["occurred_at"], pa.scalar(timedelta(hours=20))),
        }
    ).cast(part.labels.schema)
    return Simulation(part.transactions, pa.concat_tables([part.labels, labels]))


def test_states_that_were_lost_are_found_by_computing_features_again(
    stack: Monitored, parts: dict[str, Simulation]
) -> None:
    lose_states(stack)
    found = stack.look(stack.stream(parts["lost"]))
    assert "parity_check" in {check for check, _ in found.violated("data")}
    # Strangers everywhere: what moved must not be learned from.
    assert ("completeness_check", "card_mean_30d") in found.violated("data")
    assert not found.violated("drift")


def lose_states(stack: Monitored) -> None:
    """As if the states of all cards had been lost."""
    table, dynamodb = stack.outputs["EntityTableName"], stack.running.client("dynamodb")
    keys = [item["entity"] for item in stack.spine._scan("EntityTableName")]
    for key in keys:
        if key["S"].startswith("card#"):
            dynamodb.delete_item(TableName=table, Key={"entity": key})


def test_people_see_what_monitoring_knows(stack: Monitored) -> None:
    told = stack.spine.command("monitor", "status")
    assert stack.champion() in json.dumps(told)
    assert "chargeback" in json.dumps(stack.spine.command("labels", "status"))


# --- Without Model Monitor --------------------------------------------------------------------------------------------


def test_refusal_of_model_monitor_is_told_and_harms_nothing(model: Model, parts: dict[str, Simulation]) -> None:
    running = start(ROOT / "template.yaml", "refused", "--without-model-monitor", RolloutPlan=MACHINES)
    try:
        stack = Monitored(running)
        put_in_service(stack, model)
        stack.until_promoted_is_watched()
        refresh = stack.refresh()
        assert refresh.baseline is not None and refresh.schedules[0].status is ScheduleStatus.REFUSED
        assert "closed to new customers" in refresh.schedules[0].detail
        assert "closed to new customers" in json.dumps(stack.spine.command("status"))
        few = Simulation(parts["warm"].transactions.slice(0, 300), parts["warm"].labels.slice(0, 0))
        found = stack.look(stack.stream(few))
        assert found.findings.rows == 300
    finally:
        assert running.stop() == 0
