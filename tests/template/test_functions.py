"""The functions, their environment and their handlers."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest

from fraud.settings import (
    BUDGETS_MS,
    AbortSettings,
    AnsweringSettings,
    DeploySettings,
    JudgeSettings,
    LabellingSettings,
    PrepareSettings,
    ProjectionSettings,
    RefreshSettings,
    RetrainingEndSettings,
    RetrainingJudgementSettings,
    RetrainingStartSettings,
    ScoringSettings,
    ShadowSettings,
    SteerSettings,
    TrafficSettings,
    WatchSettings,
)

FUNCTIONS = Path(__file__).parents[2] / "functions"

POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}


@dataclass(frozen=True)
class NoSettings:
    """Of a function that needs none."""


SETTINGS = {
    "answer_transaction": AnsweringSettings,
    "score_transactions": ScoringSettings,
    "project_decisions": ProjectionSettings,
    "record_labels": LabellingSettings,
    "prepare_rollout": PrepareSettings,
    "deploy_challenger": DeploySettings,
    "shift_traffic": TrafficSettings,
    "judge_rollout": JudgeSettings,
    "steer_rollout": SteerSettings,
    "abort_rollout": AbortSettings,
    "shadow_score": ShadowSettings,
    "prepare_retraining": RetrainingStartSettings,
    "inspect_job": NoSettings,
    "judge_retraining": RetrainingJudgementSettings,
    "finish_retraining": RetrainingEndSettings,
    "refresh_monitoring": RefreshSettings,
    "judge_window": WatchSettings,
}

HANDLERS = sorted(SETTINGS)


@pytest.fixture
def functions(of_type: Callable[[str], dict[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """The functions' properties, by the module of their handler."""
    found = [each["Properties"] for each in of_type("AWS::Lambda::Function").values()]
    return {each["Handler"].removesuffix(".handler"): each for each in found}


def test_every_function_is_known_here(functions: dict[str, dict[str, Any]]) -> None:
    assert sorted(functions) == HANDLERS


@pytest.mark.parametrize("handler", HANDLERS)
def test_the_environment_is_what_the_settings_read_and_no_more(
    functions: dict[str, dict[str, Any]], handler: str
) -> None:
    variables = functions[handler]["Environment"]["Variables"]
    read = {field.name.upper() for field in fields(SETTINGS[handler])}
    assert set(variables) == POWERTOOLS | read
    assert variables["POWERTOOLS_SERVICE_NAME"] == handler


def test_metrics_bear_the_stack_so_that_two_stacks_do_not_share_alarms(
    functions: dict[str, dict[str, Any]], template: dict[str, Any]
) -> None:
    namespaces = [each["Environment"]["Variables"]["POWERTOOLS_METRICS_NAMESPACE"] for each in functions.values()]
    own = {"Fn::Sub": "FraudDetection/${AWS::StackName}"}
    assert namespaces == [own] * len(HANDLERS)
    assert template["Outputs"]["MetricsNamespace"]["Value"] == own


def test_what_a_function_finds_by_name_is_what_the_outputs_name(
    functions: dict[str, dict[str, Any]], template: dict[str, Any]
) -> None:
    named = {
        "ALARM_TOPIC": "AlarmTopicArn",
        "ARCHIVE_BUCKET": "ArchiveBucketName",
        "ENDPOINT_SLOT_A": "EndpointSlotA",
        "ENDPOINT_SLOT_B": "EndpointSlotB",
        "EXECUTION_ROLE": "SageMakerExecutionRoleArn",
        "MODEL_BUCKET": "ArchiveBucketName",
        "MODEL_IMAGE": "ModelImageUri",
        "MODEL_PACKAGE_GROUP": "ModelPackageGroupName",
        "MONITORING_JOB_ROLE": "MonitoringJobRoleArn",
        "ROLLOUT_TABLE": "RolloutTableName",
        "VOLUME_KEY": "DataKeyArn",
    }
    variables = [item for each in functions.values() for item in each["Environment"]["Variables"].items()]
    assert {name for name, _ in variables} >= set(named)
    wrong = [name for name, value in variables if name in named and value != template["Outputs"][named[name]]["Value"]]
    assert wrong == []


def test_every_function_says_how_long_it_may_take(functions: dict[str, dict[str, Any]]) -> None:
    """Lambda's own three seconds are over before a batch is."""
    assert [name for name, each in functions.items() if "Timeout" not in each] == []


def test_a_function_that_reads_archives_has_the_memory_and_the_time_for_it(
    functions: dict[str, dict[str, Any]],
) -> None:
    reading = {name for name, each in functions.items() if "MODEL_BUCKET" in each["Environment"]["Variables"]}
    assert reading == {"deploy_challenger", "prepare_rollout"}
    reading.add("judge_retraining")
    for name, each in functions.items():
        if name != "answer_transaction":
            assert (each["MemorySize"] >= 2048, each["Timeout"]) == ((True, 300) if name in reading else (False, 60))


def test_a_caller_who_waits_is_not_kept_beyond_the_largest_budget_and_a_cold_start(
    functions: dict[str, dict[str, Any]], template: dict[str, Any]
) -> None:
    function, budget = functions["answer_transaction"], template["Parameters"]["AnswerBudgetMs"]
    assert function["Environment"]["Variables"]["ANSWER_BUDGET_MS"] == {"Ref": "AnswerBudgetMs"}
    assert range(budget["MinValue"], budget["MaxValue"] + 1) == BUDGETS_MS
    assert budget["Default"] in BUDGETS_MS
    assert function["Timeout"] == 15 > budget["MaxValue"] / 1000


def test_the_only_url_is_that_of_answers_and_takes_signed_requests_only(template: dict[str, Any]) -> None:
    resources = template["Resources"].values()
    [url] = [each["Properties"] for each in resources if each["Type"] == "AWS::Lambda::Url"]
    assert url == {"AuthType": "AWS_IAM", "TargetFunctionArn": {"Ref": "AnswerTransactionFunction"}}
    permissions = [each["Properties"] for each in resources if each["Type"] == "AWS::Lambda::Permission"]
    assert [each for each in permissions if "AnswerTransaction" in str(each["FunctionName"])] == []


def test_functions_run_on_the_python_that_the_tests_run_on(functions: dict[str, dict[str, Any]]) -> None:
    assert {each["Runtime"] for each in functions.values()} == {"python3.11"}
    assert {tuple(each["Architectures"]) for each in functions.values()} == {("x86_64",)}


def test_scoring_has_a_whole_core(functions: dict[str, dict[str, Any]]) -> None:
    assert functions["score_transactions"]["MemorySize"] == functions["answer_transaction"]["MemorySize"] == 1769


def test_no_function_reserves_concurrency_of_the_account(functions: dict[str, dict[str, Any]]) -> None:
    assert [name for name, each in functions.items() if "ReservedConcurrentExecutions" in each] == []


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_is_a_file_that_defines_it(handler: str) -> None:
    module = ast.parse((FUNCTIONS / f"{handler}.py").read_text(encoding="utf-8"))
    defined = {each.name for each in module.body if isinstance(each, ast.FunctionDef)}
    assigned = {
        target.id
        for each in module.body
        if isinstance(each, ast.Assign)
        for target in each.targets
        if isinstance(target, ast.Name)
    }
    assert "handler" in defined | assigned


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_fits_on_a_page(handler: str) -> None:
    assert len((FUNCTIONS / f"{handler}.py").read_text(encoding="utf-8").splitlines()) <= 40


def imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("handler", HANDLERS)
def test_a_handler_reaches_the_cloud_only_through_bootstrap(handler: str) -> None:
    """import-linter analyses packages only, and a handler is a single module."""
    module = ast.parse((FUNCTIONS / f"{handler}.py").read_text(encoding="utf-8"))
    assert [name for name in imported(module) if name.startswith(("boto", "fraud.aws"))] == []
