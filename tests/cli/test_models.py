"""`fraud models`: versions in moto's registry, what is kept beside them in its S3."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from cli.models import interval
from cli.target import Target

GAIN = {"difference": 0.05, "low": 0.02, "high": 0.08}
TRAINING = {"metrics": {"average_precision": 0.7, "auc": 0.9}, "first_at": "2026-01-01T", "last_at": "2026-02-01T"}


def document(*names: str, precision: float = 0.7) -> dict[str, Any]:
    training = {**TRAINING, "metrics": {**TRAINING["metrics"], "average_precision": precision}}  # type: ignore[dict-item]
    return {"contract": {"names": names}, "thresholds": {"review": 0.2, "block": 0.9}, "training": training}


def put(target: Target, key: str, text: str) -> str:
    target.client("s3").put_object(Bucket="archive", Key=key, Body=text.encode())
    return f"s3://archive/{key}"


def register(target: Target, number: int, kept: dict[str, Any], approval: str = "PendingManualApproval") -> str:
    sagemaker = target.client("sagemaker")
    lineage = {
        name: put(target, f"models/{number}/{name}", text if isinstance(text, str) else json.dumps(text))
        for name, text in kept.items()
    }
    quality = {"ContentType": "application/json", "S3Uri": lineage.pop("evaluation_uri", "")}
    metrics = {"ModelMetrics": {"ModelQuality": {"Statistics": quality}}} if quality["S3Uri"] else {}
    answer = sagemaker.create_model_package(
        ModelPackageGroupName="fraud-models",
        ModelApprovalStatus=approval,
        CustomerMetadataProperties={**lineage, "verdict": "shadow_only"},
        **metrics,
    )
    return str(answer["ModelPackageArn"])


@pytest.fixture
def arns(stack: Target) -> list[str]:
    """Two versions; the second was held against the first."""
    stack.client("sagemaker").create_model_package_group(ModelPackageGroupName="fraud-models")
    first = register(stack, 1, {"package_uri": document("a", "b")}, "Approved")
    evaluation = {"champion": {"model_package": first}, "gains": {"average_precision": GAIN}}
    kept = {"package_uri": document("a", "c", precision=0.75), "evaluation_uri": evaluation}
    return [first, register(stack, 2, {**kept, "report_uri": "<html>", "card_uri": "# Card"})]


def call(runner: CliRunner, *words: str) -> Result:
    return runner.invoke(app, ["models", *words], env={"COLUMNS": "200"})


def serve(target: Target, package: str, slot: str = "a") -> None:
    model = {"M": {"model_package": {"S": package}}}
    item = {"pk": {"S": "routing"}, "sk": {"S": "routing"}, "champion": {"S": slot}, "slots": {"M": {slot: model}}}
    target.client("dynamodb").put_item(TableName="RolloutTable", Item=item)


def approval(target: Target, arn: str) -> str:
    return str(target.client("sagemaker").describe_model_package(ModelPackageName=arn)["ModelApprovalStatus"])


def test_list_without_versions_says_how_to_make_one(stack: Target, runner: CliRunner) -> None:
    stack.client("sagemaker").create_model_package_group(ModelPackageGroupName="fraud-models")
    assert "fraud train" in call(runner, "list").output


def test_list_has_the_newest_first_with_role_and_gain(stack: Target, runner: CliRunner, arns: list[str]) -> None:
    serve(stack, arns[0])
    rows = json.loads(call(runner, "list", "--json").output)
    assert [each["version"] for each in rows] == [2, 1]
    assert [each["serves_as"] for each in rows] == [None, "champion"]
    assert [each["average_precision"] for each in rows] == [0.75, 0.7]
    assert rows[0]["gain"] == GAIN
    text = call(runner, "list").output
    assert "shadow only" in text and "+0.0500 (+0.0200 to +0.0800)" in text


@pytest.mark.usefixtures("arns")
def test_list_is_bounded(runner: CliRunner) -> None:
    assert len(json.loads(call(runner, "list", "--limit", "1", "--json").output)) == 1


@pytest.mark.usefixtures("arns")
def test_show_takes_the_newest_and_tells_all(runner: CliRunner) -> None:
    text = call(runner, "show").output
    assert "Version 2" in text and "Over version 1" in text and "average precision" in text and "verdict" in text


@pytest.mark.usefixtures("arns")
def test_show_saves_the_report_and_prints_the_card(runner: CliRunner, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    result = call(runner, "show", "2", "--report", str(page), "--card")
    assert (result.exit_code, page.read_text()) == (0, "<html>")
    assert result.stdout.strip() == "# Card"


@pytest.mark.usefixtures("arns")
def test_show_of_a_version_without_a_report_says_so(runner: CliRunner, tmp_path: Path) -> None:
    result = call(runner, "show", "1", "--report", str(tmp_path / "report.html"))
    assert result.exit_code == 1 and "no retraining made it" in result.output


@pytest.mark.usefixtures("arns")
@pytest.mark.parametrize("version", ["7", "seven"])
def test_show_of_an_unknown_version_fails(runner: CliRunner, version: str) -> None:
    assert call(runner, "show", version).exit_code == 1


def test_approve_is_noted_with_its_reason(stack: Target, runner: CliRunner, arns: list[str]) -> None:
    result = call(runner, "approve", "2", "--because", "better")
    assert result.exit_code == 0 and "fraud rollout watch" in result.output
    assert approval(stack, arns[1]) == "Approved"


def test_approve_of_what_is_approved_fails(runner: CliRunner, arns: list[str]) -> None:
    result = call(runner, "approve", arns[0])
    assert result.exit_code == 1 and "approved already" in result.output


@pytest.mark.parametrize(("slot", "word"), [("a", "serves still"), ("b", "fraud rollout abort"), (None, "any more")])
def test_reject_says_what_it_does_not_do(
    stack: Target, runner: CliRunner, arns: list[str], slot: str | None, word: str
) -> None:
    models = {"a": arns[0] if slot != "a" else arns[1], "b": arns[1] if slot == "b" else arns[0]}
    slots = {name: {"M": {"model_package": {"S": package}}} for name, package in models.items()}
    item = {"champion": {"S": "a"}, "challenger": {"S": "b"}, "slots": {"M": slots}}
    if slot is not None:
        key = {"pk": {"S": "routing"}, "sk": {"S": "routing"}}
        stack.client("dynamodb").put_item(TableName="RolloutTable", Item=key | item)
    assert word in call(runner, "reject", "2").output
    assert approval(stack, arns[1]) == "Rejected"


@pytest.mark.usefixtures("arns")
def test_compare_tells_gains_where_one_was_held_against_the_other(runner: CliRunner) -> None:
    found = json.loads(call(runner, "compare", "1", "2", "--json").output)
    assert found["metrics"]["average_precision"] == [0.7, 0.75]
    assert (found["features_added"], found["features_removed"]) == (["c"], ["b"])
    assert found["gains"] == {"average_precision": GAIN}
    assert "Gain on the same rows" in call(runner, "compare", "1", "2").output


@pytest.mark.usefixtures("arns")
def test_compare_of_versions_that_never_met_claims_no_gain(runner: CliRunner) -> None:
    assert json.loads(call(runner, "compare", "2", "1", "--json").output)["gains"] is None
    assert "was not evaluated against" in call(runner, "compare", "2", "1").output


def test_interval_without_a_gain_is_a_dash() -> None:
    assert interval(None) == "–"
