"""What a look found, as it is read, put into words, and published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fraud.errors import InvalidEvidence
from fraud.monitoring_findings import DOCUMENT, VIOLATIONS, Concern, Finding, Metric, Outcome, Verdicts, metrics, parse
from model import findings as written
from tests.fakes.monitoring import CHAMPION, DRIFTED, SINCE, UNKNOWN, UNTIL, VANISHED, WORSE, finding, findings_document

CHALLENGER = {
    "role": "challenger",
    "model_package": "arn:m/4",
    "rows": 90,
    "shares": {"approve": 1.0, "review": 0.0, "block": 0.0, "degraded": 0.0},
}


def published(document: bytes) -> dict[tuple[str, str], float]:
    return {(each.name, each.variant): each.value for each in metrics(parse(document))}


def test_parse_document_is_what_it_says() -> None:
    found = parse(findings_document(DRIFTED, UNKNOWN))
    assert (found.since, found.until, found.champion, found.rows) == (SINCE, UNTIL, CHAMPION, 3_000)
    assert found.findings == (DRIFTED, UNKNOWN)
    assert found.labels.by_source == {
        "chargeback": Verdicts(frauds=21, genuine=0),
        "review": Verdicts(frauds=6, genuine=40),
    }
    assert found.champion_age_days == 12.5


def test_parse_document_of_the_job_is_understood(tmp_path: Path) -> None:
    """The job has no msgspec, and writes what is read here by types of its own."""
    check: dict[str, Any] = {"check": "volume_check", "concern": "data", "name": "transactions", "variant": "all"}
    numbers: dict[str, Any] = {"observed": 1.0, "limit": None, "count": 3}
    labels = written.Labels(
        by_source={"review": {"frauds": 1, "genuine": 2}},
        disagreements=0,
        mature=3,
        unlabelled=1,
        unknown=0,
        immature=2,
        newest_known_at="",
        known_after={"1": 0.5},
    )
    variant = written.Variant(role="champion", model_package=CHAMPION, rows=5, shares={"approve": 1.0})
    written.Findings(
        since=SINCE,
        until=UNTIL,
        champion=CHAMPION,
        rows=5,
        looked_at=4,
        findings=[written.Finding(**check, **numbers, outcome="violated", sentence="Too few.")],
        variants=[variant],
        parity=written.Parity(cards=1, terminals=2, compared=3, mismatched=4, left_out=5),
        labels=labels,
        champion_age_days=None,
    ).write(tmp_path)

    found = parse((tmp_path / written.NAME).read_bytes())

    assert written.NAME == DOCUMENT
    assert [each.sentence for each in found.violations] == ["Too few."]
    assert found.variants[0].quality == {}
    assert found.labels.by_source == {"review": Verdicts(frauds=1, genuine=2)}
    assert found.parity.left_out == 5


def test_parse_finding_has_the_fields_that_the_job_writes() -> None:
    assert set(Finding.__struct_fields__) == set(written.Finding.__dataclass_fields__)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[1]",
        b"\xff",
        b"[" * 100_000,
        findings_document(schema_version=2),
        findings_document(findings=[{"check": "volume_check"}]),
        findings_document(rows="3,000"),
    ],
)
def test_parse_anything_else_is_no_evidence(text: bytes) -> None:
    with pytest.raises(InvalidEvidence, match=r"^monitoring\.json is not what a look leaves: "):
        parse(text)


def test_parse_a_field_that_a_later_version_adds_is_no_reason_to_refuse() -> None:
    assert parse(findings_document(more="later")).rows == 3_000


def test_counts_tell_every_concern_also_of_none() -> None:
    assert parse(findings_document()).counts == {"drift": 0, "quality": 0, "data": 0, "upkeep": 0}
    found = parse(findings_document(DRIFTED, DRIFTED, WORSE, UNKNOWN))
    assert found.counts == {"drift": 2, "quality": 1, "data": 0, "upkeep": 0}


def test_violations_leave_out_what_passed_and_what_cannot_be_told() -> None:
    assert parse(findings_document(finding(), UNKNOWN, VANISHED)).violations == (VANISHED,)


def test_sentence_of_a_quiet_look_counts_only_what_could_be_told() -> None:
    found = parse(findings_document(finding(), finding(), UNKNOWN))
    assert found.sentence == "3,000 decisions, 2 checks: nothing changed that can be told."


@pytest.mark.parametrize(
    ("violated", "words"),
    [
        ((DRIFTED,), "1 violated: transaction_amount moved: 0.30 over 0.10."),
        ((VANISHED, DRIFTED), "2 violated: transaction_amount is missing in 100 % of the rows, and 1 more."),
    ],
)
def test_sentence_of_violations_tells_the_first(violated: tuple[Finding, ...], words: str) -> None:
    found = parse(findings_document(finding(), *violated, UNKNOWN))
    assert found.sentence == f"3,000 decisions, {1 + len(violated)} checks, {words}"


def test_metrics_of_a_quiet_look_tell_that_nothing_is_violated_so_that_alarms_end() -> None:
    assert list(metrics(parse(findings_document()))) == [
        Metric("DriftViolations", 0, "Count"),
        Metric("ModelQualityViolations", 0, "Count"),
        Metric("DataQualityViolations", 0, "Count"),
        Metric("UpkeepViolations", 0, "Count"),
        Metric("MonitoringRuns", 1, "Count"),
        Metric("WindowDecisions", 3_000, "Count"),
        Metric("ChampionAgeDays", 12.5, "None"),
        Metric("ParityMismatchShare", 0.001, "None"),
        Metric("LargestFeaturePsi", 0.02, "None", "champion"),
        Metric("ScorePsi", 0.01, "None", "champion"),
        Metric("ReviewShare", 0.02, "None", "champion"),
        Metric("BlockShare", 0.01, "None", "champion"),
        Metric("AveragePrecision", 0.4, "None", "champion"),
        Metric("AlertPrecision", 0.5, "None", "champion"),
        Metric("AlertRecall", 0.6, "None", "champion"),
    ]


@pytest.mark.parametrize(
    ("violation", "name"),
    [(DRIFTED, "DriftViolations"), (WORSE, "ModelQualityViolations"), (VANISHED, "DataQualityViolations")],
)
def test_metrics_each_concern_has_its_own(violation: Finding, name: str) -> None:
    found = published(findings_document(violation, finding()))
    assert {each: found[each, ""] for each in VIOLATIONS.values()} == dict.fromkeys(VIOLATIONS.values(), 0) | {name: 1}


def test_metrics_leave_out_what_could_not_be_judged() -> None:
    nothing = {"cards": 0, "terminals": 0, "compared": 0, "mismatched": 0, "left_out": 9}
    found = published(findings_document(parity=nothing, champion_age_days=None, variants=[CHALLENGER]))
    assert {name for name, variant in found if not variant} == {
        *VIOLATIONS.values(),
        "MonitoringRuns",
        "WindowDecisions",
    }
    assert {name for name, variant in found if variant} == {"ReviewShare", "BlockShare"}


def test_metrics_of_two_variants_are_told_apart() -> None:
    champion = json.loads(findings_document())["variants"][0]
    found = published(findings_document(variants=[champion, CHALLENGER]))
    assert (found["ReviewShare", "champion"], found["ReviewShare", "challenger"]) == (0.02, 0.0)


def test_metrics_of_every_concern_exist() -> None:
    assert set(VIOLATIONS) == set(Concern)
    assert {each.value for each in Outcome} == {"passed", "violated", "skipped"}
