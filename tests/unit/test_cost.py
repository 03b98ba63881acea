"""What docs/cost.md says is what the model computes from the prices, the measurements and the template."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from benchmarks import cost
from benchmarks.cost_inputs import PRICES, PROFILES, RATES, Assumed, Case, Counts, Measured, Slot, load_prices
from benchmarks.cost_terms import PROJECTION_WRITES, TERMS, monthly
from checks.translation import read_template
from fraud import entities, monitoring_findings, windows
from fraud.aws import metrics, shadow_metrics
from fraud.aws.projection_store import DynamoProjectionStore
from fraud.batch_report import BatchReport, Call
from fraud.ports import TerminalCommit
from fraud.shadow_ports import ShadowReport
from local import conditions
from local.children import ROOT
from tests.fakes import samples
from tests.fakes.memory import recorded
from tests.fakes.monitoring import findings_document

PAGE = cost.PAGE.read_text(encoding="utf-8")
MILLIONS_AT_1000 = 1_000 * 730 * 3_600 / 1e6


@pytest.fixture(scope="module")
def counts() -> dict[str, Counts]:
    return cost.profile_counts()


@pytest.fixture(scope="module")
def cases(counts: dict[str, Counts]) -> list[Case]:
    return cost.cases(load_prices(), counts)


@pytest.fixture(scope="module", params=list(PROFILES))
def standing(request: pytest.FixtureRequest, counts: dict[str, Counts]) -> tuple[Counts, dict[str, Any]]:
    """What was counted under a profile, and the resources that it has."""
    return counts[request.param], conditions.resources(read_template(), PROFILES[request.param])


def case(cases: list[Case], profile: str, rate: int) -> Case:
    [found] = [each for each in cases if (each.profile, each.rate) == (profile, rate)]
    return found


def largest(each: Case) -> str:
    month = monthly(each)
    return max(month, key=lambda name: month[name])


# --- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["months", "largest", "levers", "counts", "prices"])
def test_table_of_the_page_is_what_the_model_computes(name: str, cases: list[Case]) -> None:
    stands = PAGE.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0]
    assert stands == cost.tables(cases)[name], "python -m benchmarks.cost --write"


def test_page_without_change_is_left_as_it_is(cases: list[Case]) -> None:
    assert cost.written(PAGE, cost.tables(cases)) == PAGE


def test_page_without_a_place_for_a_table_is_refused(cases: list[Case]) -> None:
    with pytest.raises(cost.NoPlace, match="levers"):
        cost.written(PAGE.replace("<!-- /levers -->", ""), cost.tables(cases))


def test_terms_that_the_page_calls_dominant_are_the_largest(cases: list[Case]) -> None:
    called = re.findall(r"^- \*\*(\w+), ([\d,]+) a second: ([\w /-]+)\.\*\*", PAGE, re.MULTILINE)
    assert called == [(each.profile, f"{each.rate:,}", largest(each)) for each in cases]


def test_measurements_and_assumptions_of_the_page_are_those_of_the_model() -> None:
    for values in (Measured(), Assumed()):
        for name in values.__slots__:
            value = getattr(values, name)
            shown = " + ".join(f"{each:,}" for each in value) if isinstance(value, tuple) else f"{value:,}"
            assert re.search(rf"^\| `{name}` \| {re.escape(shown)} \|", PAGE, re.MULTILINE), name


# --- prices -----------------------------------------------------------------------------------------------------------


def test_every_price_is_a_list_price_of_a_day_and_a_source() -> None:
    document = json.loads(PRICES.read_text(encoding="utf-8"))
    assert (document["region"], document["currency"]) == ("us-east-1", "USD")
    for name, each in document["prices"].items():
        assert each["kind"] == "list price", name
        assert re.fullmatch(r"\d{4}-\d\d-\d\d", each["as_of"]), name
        assert each["source"].startswith("https://aws.amazon.com/"), name
        assert each["usd"] > 0 and each["per"] >= 1, name


def test_every_price_raises_some_month_when_it_rises(cases: list[Case]) -> None:
    """A price that nothing is computed from would be a term forgotten."""
    before = cost.tables(cases)
    for name in load_prices():
        raised = [replace(each, prices={**each.prices, name: 10 * each.prices[name]}) for each in cases]
        after = cost.tables(raised)
        assert (after["months"], after["levers"]) != (before["months"], before["levers"]), name


# --- counts -----------------------------------------------------------------------------------------------------------


def test_counts_are_those_of_the_template(standing: tuple[Counts, dict[str, Any]]) -> None:
    counts, resources = standing
    types = Counter(each["Type"] for each in resources.values())
    assert counts.functions == types["AWS::Serverless::Function"]
    assert counts.alarms == types["AWS::CloudWatch::Alarm"]
    assert counts.keys == types["AWS::KMS::Key"] == 1
    assert counts.trails == types["AWS::CloudTrail::Trail"]
    assert counts.dashboards == types["AWS::CloudWatch::Dashboard"] == 1
    assert counts.filter_metrics == types["AWS::Logs::MetricFilter"]
    assert len(counts.runs) == types["AWS::Scheduler::Schedule"]
    assert len(counts.states) == types["AWS::Serverless::StateMachine"]


def test_interface_endpoints_are_paid_for_in_each_of_their_zones(counts: dict[str, Counts]) -> None:
    resources = conditions.resources(read_template(), PROFILES["production"]).values()
    interfaces = [each for each in resources if each.get("Properties", {}).get("VpcEndpointType") == "Interface"]
    assert counts["production"].endpoint_zones == 2 * len(interfaces) > 0
    assert counts["minimal"].endpoint_zones == 0


def test_alarm_is_paid_for_by_the_metrics_that_it_looks_at(standing: tuple[Counts, dict[str, Any]]) -> None:
    counts, resources = standing
    alarms = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::CloudWatch::Alarm"]
    named = sum("MetricName" in each for each in alarms)
    composed = sum("MetricStat" in part for each in alarms for part in each.get("Metrics", ()))
    assert counts.alarm_metrics == named + composed > counts.alarms


def test_schedules_are_looks_every_six_hours_reminders_every_hour_and_the_rest_weekly(
    standing: tuple[Counts, dict[str, Any]],
) -> None:
    assert {name: pytest.approx(730 / hours) for name, hours in SCHEDULES.items()} == standing[0].runs


SCHEDULES = {"RetrainingTimer": 168, "RetrainingReminder": 1, "DriftTimer": 6, "MonitoringTimer": 168}


def test_states_are_those_of_the_rendered_definitions(counts: dict[str, Counts]) -> None:
    for name, states in counts["minimal"].states.items():
        file = ROOT / "state_machines" / f"{name.removesuffix('Machine').lower()}.asl.json"
        assert states == len(json.loads(file.read_text(encoding="utf-8"))["States"])


def test_profiles_are_the_defaults_and_what_prod_sets() -> None:
    settings = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    prod = dict(each.split("=") for each in settings["prod"]["deploy"]["parameters"]["parameter_overrides"].split())
    assert {"minimal": {}, "production": {name: value for name, value in prod.items() if name != "Stage"}} == PROFILES


def test_slot_is_what_a_rollout_of_the_profile_makes(counts: dict[str, Counts]) -> None:
    assert counts["minimal"].slot == Slot(2, "serverless.2gb", 1, captured=False)
    assert counts["production"].slot == Slot(0, "ml.m5.large", 2, captured=True)


# --- measurements -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "measured"),
    [
        ("write units of tables", 1_000 * Measured().table_writes),
        ("write units of indexes", 1_000 * Measured().index_writes),
        ("read units", 1_000 * Measured().reads),
        ("**handler CPU, ms per transaction**", Measured().scoring_ms[1]),
        ("decision item, mean bytes", Measured().decision_bytes),
    ],
)
def test_measurement_is_that_of_the_benchmarks(row: str, measured: float) -> None:
    benchmarks = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    [line] = [each for each in benchmarks.splitlines() if each.startswith(f"| {row} |")]
    assert float(line.split("|")[2].strip(" *").replace(",", "")) == pytest.approx(measured)


class Recorder:
    """DynamoDB, as far as it is asked to write."""

    def __init__(self) -> None:
        self.actions: list[Any] = []

    def transact_write_items(self, TransactItems: list[Any]) -> None:  # noqa: N803 - botocore's name
        self.actions += TransactItems


def test_projection_of_a_decision_alone_writes_what_is_charged() -> None:
    dynamodb = Recorder()
    store = DynamoProjectionStore(dynamodb, "entities", "decisions", "rollouts", 1, lambda: 0)
    each = recorded(samples.decision(), "1")
    store.commit([TerminalCommit("terminal#m1", 0, entities.visit(windows.empty(entities.TERMINAL), each.at), (each,))])
    assert 2 * len(dynamodb.actions) == PROJECTION_WRITES


def test_own_metrics_are_those_that_are_published(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "any")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "any")
    calls = [Call(slot, rows=1, unanswered=0, seconds=0.1) for slot in ("a", "b")]
    metrics.publish_scoring(BatchReport(calls=calls, latencies=[0.1]), 0.1)
    shadow_metrics.publish(ShadowReport(shadowed=1))
    found = monitoring_findings.parse(findings_document())
    looks = {(each.name, each.variant) for each in monitoring_findings.metrics(found)}
    lines = map(json.loads, capsys.readouterr().out.splitlines())
    functions = {
        (line["service"], line.get("Slot"), metric["Name"])
        for line in lines
        for directive in line["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]
    }
    assert len(functions) + len(looks) == Measured().own_metrics


# --- the arithmetic, by hand ------------------------------------------------------------------------------------------


def test_writes_at_1000_are_units_times_their_price(cases: list[Case]) -> None:
    units = 3.962 + 1.007 + 6 + 0.01 * 5
    assert monthly(case(cases, "minimal", 1_000))["DynamoDB writes"] == pytest.approx(MILLIONS_AT_1000 * units * 0.625)


def test_events_are_a_dollar_a_million(cases: list[Case]) -> None:
    assert monthly(case(cases, "minimal", 1_000))["EventBridge"] == pytest.approx(MILLIONS_AT_1000)


def test_firehose_takes_a_record_of_2_kb_for_5(cases: list[Case]) -> None:
    gib = MILLIONS_AT_1000 * 1e6 * 1.01 * 5_120 / 2**30
    assert monthly(case(cases, "minimal", 1_000))["Firehose"] == pytest.approx(gib * 0.029)


def test_storage_is_of_all_days_that_a_decision_is_kept(cases: list[Case]) -> None:
    gib = 1_000 * 86_400 * 400 / 2**30
    dollars = gib * ((726 + 100) * (0.25 + 0.20) + (123 + 100) * 0.25)
    assert monthly(case(cases, "minimal", 1_000))["DynamoDB storage and backups"] == pytest.approx(dollars)


def test_shards_are_paid_for_by_the_hour_and_for_a_week_of_retention_where_they_have_it(cases: list[Case]) -> None:
    puts = 730 * 3_600 / 1e6 * 0.014
    assert monthly(case(cases, "production", 1))["Kinesis"] == pytest.approx(4 * 730 * (0.015 + 0.020) + puts)
    assert monthly(case(cases, "minimal", 1))["Kinesis"] == pytest.approx(730 * 0.015 + puts)


def test_serverless_endpoint_is_paid_for_by_its_calls(cases: list[Case]) -> None:
    seconds = 730 * 3_600 * 0.030 * (1 + 2 / 168)
    assert monthly(case(cases, "minimal", 1))["SageMaker endpoints"] == pytest.approx(seconds * 2 * 0.00002)


def test_interface_endpoints_are_paid_for_by_the_hour(cases: list[Case]) -> None:
    quiet = replace(case(cases, "production", 1), rate=0)
    zones = quiet.counts.endpoint_zones
    flows = 2 * zones * 730 * 60 * 150 / 2**30 * 0.50
    assert monthly(quiet)["Network"] == pytest.approx(zones * 730 * 0.01 + flows)


def test_traces_are_of_the_first_invocation_in_a_second_and_a_twentieth_of_the_others(cases: list[Case]) -> None:
    at_1000 = case(cases, "production", 1_000)
    traced = 3 * 730 * 3_600 * (1 + 9 * 0.05)
    assert monthly(at_1000)["X-Ray"] == pytest.approx(traced * 5e-6)


def test_endpoint_is_two_instances_in_production_and_a_second_slot_two_hours_a_week(cases: list[Case]) -> None:
    hours = 730 + 730 / 168 * 2
    assert monthly(case(cases, "production", 1))["SageMaker endpoints"] == pytest.approx(2 * hours * 0.115)


def test_batch_is_what_arrives_at_a_shard_in_a_second_and_at_most_a_hundred(cases: list[Case]) -> None:
    batches = {(each.profile, each.rate): each.batch for each in cases}
    assert [batches["minimal", rate] for rate in RATES] == [1, 50, 100]
    assert [batches["production", rate] for rate in RATES] == [1, 12.5, 100]


def test_every_term_costs_something_where_it_is_built_and_none_less_at_a_higher_rate(cases: list[Case]) -> None:
    only_production = {"Network", "X-Ray", "CloudTrail"}
    for profile in PROFILES:
        months = [monthly(case(cases, profile, rate)) for rate in RATES]
        for name in TERMS:
            amounts = [month[name] for month in months]
            assert amounts == sorted(amounts), name
            assert (amounts[0] > 0) == (profile == "production" or name not in only_production), name
