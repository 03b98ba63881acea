"""The life of one stack: deployed, upgraded under traffic, rolled back, rewritten, removed, and deployed again.

One stack for all of them, in the order of the tests.
"""

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from model.simulator import SimulationConfig, simulate, transaction_events
from tests.end_to_end import trees
from tests.end_to_end.poison import Event
from tests.end_to_end.spine import Spine
from tests.end_to_end.test_spine import chargeback
from tests.local.conftest import ROOT, Running, eventually, start

PATIENCE = 30.0
"""Seconds for what takes three when nothing else runs."""
RATE = 100.0
"""Transactions a second while there is traffic."""
FEW = 20
TREE = ROOT / "template.yaml"
INGESTION, LABELS = "ScoreTransactionsFunctionTransactions", "RecordLabelsFunctionLabels"


class Life:
    """The stack, and everything that was ever put into it."""

    def __init__(self, running: Running) -> None:
        self.running = running
        start_of_time = datetime(2018, 4, 1, tzinfo=UTC)
        market = simulate(SimulationConfig(seed=17, start=start_of_time, days=60, cards=100, terminals=20))
        self._coming = transaction_events(market.transactions)
        self.sent: list[Event] = []

    @cached_property
    def spine(self) -> Spine:
        return Spine(self.running)

    def put(self, count: int) -> list[Event]:
        """The next transactions of the market."""
        events = list(itertools.islice(self._coming, count))
        assert len(events) == count
        self.spine.put_events(events)
        self.sent += events
        return events

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """Transactions one after the other for as long as the block runs."""
        done = threading.Event()

        def produce() -> None:
            while not done.wait(1 / RATE):
                self.put(1)

        producer = threading.Thread(target=produce)
        producer.start()
        try:
            yield
        finally:
            done.set()
            producer.join()

    def cli(self, *words: str) -> Result:
        where = ["--endpoint-url", self.running.url, "--stack-name", self.running.stack_name, "--region", "us-east-1"]
        return CliRunner().invoke(app, [*words, *where], catch_exceptions=False)

    def deploy(self, template: Path, *words: str) -> dict[str, Any]:
        return self.spine.command("redeploy", "--template", str(template), *words)

    def rebuilt(self, *words: str) -> dict[str, Any]:
        return self.spine.command("states", "rebuild", *words)

    def switch(self, logical_id: str, *, enabled: bool) -> None:
        self.running.client("lambda").update_event_source_mapping(UUID=self._mapping(logical_id), Enabled=enabled)

    def last_result(self) -> str:
        """What came of the last batch of transactions."""
        answer = self.running.client("lambda").get_event_source_mapping(UUID=self._mapping(INGESTION))
        return str(answer["LastProcessingResult"])

    def _mapping(self, logical_id: str) -> str:
        cloudformation = self.running.client("cloudformation")
        detail = cloudformation.describe_stack_resource(StackName=self.running.stack_name, LogicalResourceId=logical_id)
        return str(detail["StackResourceDetail"]["PhysicalResourceId"])

    def versions(self) -> list[str]:
        """Of the policy by which each transaction was decided, in the order of the stream."""
        decisions = self.spine.decisions()
        return [policy_of(decisions[event["transaction_id"]]) for event in self.sent]

    def assert_each_decided_once(self, sent: list[Event]) -> None:
        """And counted once, and told to its terminal once."""
        eventually(lambda: self.spine.projected() >= len(sent), PATIENCE)
        assert set(self.spine.decisions()) == {event["transaction_id"] for event in sent}
        counted = self.spine.counted()
        assert counted["transactions"] == len(sent)
        assert counted["amount_minor"] == sum(event["amount_minor"] for event in sent)
        assert self.spine.quarantined() == []
        assert self.spine.given_up() == []


def policy_of(decision: dict[str, Any]) -> str:
    """Its written version, without the hash of its content."""
    version: str = decision["policy_version"]["S"]
    return version.partition("+")[0]


@pytest.fixture(scope="module")
def life() -> Iterator[Life]:
    running = start(TREE, "lifecycle", MonitoringScheduleState="DISABLED", RetrainingReminderState="DISABLED")
    try:
        yield Life(running)
    finally:
        assert running.stop() == 0


def test_first_deployment_without_a_model_decides_by_rules_and_alarms_nobody(life: Life) -> None:
    life.put(FEW)

    life.assert_each_decided_once(life.sent)
    assert {item["slot"]["S"] for item in life.spine.decisions().values()} == {"none"}
    alarms = life.running.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert alarms
    assert [alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"] == []


def test_upgrade_under_traffic_loses_and_doubles_nothing(life: Life, tmp_path: Path) -> None:
    later = trees.other_tree(tmp_path / "later", trees.POLICY_VERSION)

    with life.traffic():
        eventually(lambda: len(life.spine.decisions()) > 2 * FEW, PATIENCE)
        assert life.deploy(later, "--parameter", "LogLevel=DEBUG")["changed"]
        eventually(lambda: "2" in {policy_of(each) for each in life.spine.decisions().values()}, PATIENCE)
        life.put(1)

    life.assert_each_decided_once(life.sent)
    versions = life.versions()
    assert (versions[0], versions[-1]) == ("1", "2")
    assert versions == sorted(versions)  # one shard: what comes after the first of the new code is of the new code
    assert life.deploy(later)["changed"] is False  # LogLevel stayed as it was given


def test_upgrade_that_cannot_read_states_is_rolled_back_without_loss(life: Life, tmp_path: Path) -> None:
    decided = len(life.sent)
    life.deploy(trees.other_tree(tmp_path / "unreadable", trees.STATE_VERSION))
    life.put(FEW)
    eventually(lambda: life.last_result().startswith("PROBLEM"), PATIENCE)
    assert len(life.spine.decisions()) == decided

    life.deploy(TREE)

    life.assert_each_decided_once(life.sent)
    assert life.versions()[-FEW:] == ["1"] * FEW


def test_states_of_another_version_are_rebuilt_in_place_while_ingestion_is_paused(life: Life, tmp_path: Path) -> None:
    labels = [chargeback(event) for event in life.sent[:3]]
    for label in labels:
        life.spine.send_label(label)
    eventually(lambda: life.spine.archived("labels/") == {label["transaction_id"] for label in labels}, PATIENCE)
    refused = life.cli("states", "rebuild")
    assert refused.exit_code == 1
    assert "ingestion is not paused" in refused.stderr
    later = trees.other_tree(tmp_path / "rebuilt", trees.STATE_VERSION)

    for mapping in (INGESTION, LABELS):
        life.switch(mapping, enabled=False)
    decided = len(life.sent)
    waiting = life.put(FEW)
    eventually(lambda: not life.rebuilt("--dry-run")["obstacles"], PATIENCE)
    live = life.rebuilt("--dry-run")
    assert (live["decisions"], live["labels"], live["written"], live["unknown"]) == (decided, 3, 0, 0)
    assert live["equal"] == len({e["card_token"] for e in life.sent[:decided]}) + len(
        {e["terminal_id"] for e in life.sent[:decided]}
    )

    life.deploy(later)
    assert len(life.spine.decisions()) == decided  # an update leaves a paused mapping paused
    written = trees.command(life.running, later, "states", "rebuild")
    assert written.returncode == 0, written.stderr
    assert json.loads(written.stdout)["written"] == live["equal"]
    for mapping in (INGESTION, LABELS):
        life.switch(mapping, enabled=True)

    life.assert_each_decided_once(life.sent)
    assert waiting[-1]["transaction_id"] in life.spine.decisions()
    eventually(lambda: set(life.spine.decisions()) == life.spine.archived("decisions/"), PATIENCE)
    again = trees.command(life.running, later, "states", "rebuild", "--dry-run")
    assert json.loads(again.stdout)["written"] == 0  # decided on the rebuilt history as on the one before


def test_removed_stack_keeps_its_data_and_the_next_of_its_name_goes_on_from_it(life: Life) -> None:
    before, old = dict(life.spine.outputs), life.spine
    archived = old.archived("decisions/")
    result = life.cli("teardown", "--yes")
    assert result.exit_code == 0, result.stderr

    gone = life.running.client("cloudformation").describe_stacks
    with pytest.raises(Exception, match="does not exist"):
        gone(StackName=life.running.stack_name)
    redeployed = life.cli("redeploy", "--template", str(TREE))
    assert redeployed.exit_code == 0, redeployed.stderr

    del life.spine
    kept = [name for name in before if name.endswith(("TableName", "BucketName", "QueueUrl", "PackageGroupName"))]
    assert len(kept) >= 8
    assert [name for name in kept if life.spine.outputs[name] == before[name]] == []
    assert set(old.decisions()) == archived == {event["transaction_id"] for event in life.sent}
    fresh = life.put(FEW)
    life.assert_each_decided_once(fresh)
    assert_carried_over(life, before["ArchiveBucketName"], fresh)


def assert_carried_over(life: Life, old_archive: str, fresh: list[Event]) -> None:
    """States of the old stack's cards and of the new one's, by both archives."""
    for mapping in (INGESTION, LABELS):
        life.switch(mapping, enabled=False)
    archives = ("--archive", old_archive)
    eventually(lambda: not life.rebuilt("--dry-run", *archives)["obstacles"], PATIENCE)
    filled = life.rebuilt(*archives)
    assert filled["decisions"] == len(life.sent)
    assert filled["written"] > 0
    for mapping in (INGESTION, LABELS):
        life.switch(mapping, enabled=True)
    life.assert_each_decided_once([*fresh, *life.put(FEW)])
    eventually(lambda: set(life.spine.decisions()) == life.spine.archived("decisions/"), PATIENCE)
    assert life.rebuilt("--dry-run", *archives)["written"] == 0
