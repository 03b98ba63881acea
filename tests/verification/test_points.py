"""Every probe reaches each of its verdicts, by calls that botocore takes and that it declared."""

from collections.abc import Mapping
from typing import Any

import pytest

from local.children import ROOT
from model import train
from tests.verification.conftest import Make
from tests.verification.fake_account import REGION, Account, body, dimensions, refusal
from verification import hosting
from verification.points import ALL
from verification.probe import Probe, Verdict
from verification.run import asked

PROBES = {probe.key: probe for probe in ALL}
OPEN_POINTS = set("abcdefghijk")
IMPLIED = {"iam.pass_role"}
"""Declared for the policy's sake; nobody calls it."""
THROTTLED = refusal("ThrottlingException", "Rate exceeded")
DOWN = refusal("InternalFailure", "try again", 500)

Script = Mapping[str, Any]


def failed_job(reason: str) -> Script:
    return {"sagemaker.describe_training_job": {"TrainingJobStatus": "Failed", "FailureReason": reason}}


def record(**about: object) -> Any:
    return lambda account, params: body({"captureData": {}, "eventMetadata": about})


def report(**changed: object) -> Any:
    whole = {"python": "3.12.1", "libraries": {"xgboost": "3.1.0"}, "bytes": 30 * 1024**3}
    return lambda account, params: body(whole | changed)


def metrics(namespace: str, **named: str) -> Any:
    def listed(account: Account, params: Any) -> Any:
        return {"Metrics": [dimensions(**named)] if params["Namespace"] == namespace else []}

    return listed


def execution(error: str) -> Script:
    return {"stepfunctions.describe_execution": {"status": "FAILED", "error": error, "cause": "because"}}


NO_METRICS = {"cloudwatch.list_metrics": {"Metrics": []}}
ACCEPTED: Script = {"sagemaker.update_endpoint": {"EndpointArn": "arn"}}
NAME = "fraud-verify-0a1b2c3d"
STOPPED = {
    "sagemaker.list_monitoring_executions": {
        "MonitoringExecutionSummaries": [{"MonitoringExecutionStatus": "Failed", "FailureReason": "No data"}]
    }
}
DIFFERS: Mapping[str, Script] = {
    "a": {"cloudwatch.list_metrics": metrics("/aws/sagemaker/Endpoints/data-metric", EndpointName=f"{NAME}-endpoint")},
    "alarm-period": {"cloudwatch.put_metric_alarm": refusal("ValidationError", "Period must be")},
    "b": {"s3.get_object": record(eventId="1", customAttributes="trace=1")},
    "c": {
        "cloudwatch.list_metrics": lambda account, params: {
            "Metrics": [dimensions(EndpointName="e", VariantName=each) for each in ("primary", "other")]
        }
    },
    "capture-key": {"s3.get_object": lambda account, params: {"ServerSideEncryption": "AES256"}},
    "d": {"sagemaker.delete_endpoint": None},
    "d-schedule": {"sagemaker.delete_endpoint": None},
    "dead-letter": {},
    "disk": {"s3.get_object": report(bytes=4 * 1024**3)},
    "e": failed_job("AlgorithmError: InstallModuleError"),
    "event-count": {"cloudwatch.list_metrics": metrics("AWS/Lambda", FunctionName=f"{NAME}-function")},
    "f": {"sagemaker-runtime.invoke_endpoint": lambda account, params: body({})},
    "g": execution("SageMaker.ValidationException"),
    "h": {"s3.get_object": report()},
    "i": {"s3.list_objects_v2": lambda account, params: {"Contents": [{"Key": "reports/2026/01/statistics.json"}]}},
    "j": ACCEPTED,
    "k": ACCEPTED,
    "leading-keys": {"dynamodb.transact_write_items": {}},
    "promotion-rule": {"sqs.receive_message": {}},
    "serverless": {"sagemaker-runtime.invoke_endpoint": refusal("ModelError", "out of memory", 424)},
    "serverless-key": {"sagemaker.create_endpoint_config": None},
    "unload": {
        "athena.get_query_execution": {
            "QueryExecution": {"Status": {"State": "FAILED", "StateChangeReason": "Access denied to glue:GetTable"}}
        }
    },
}
INCONCLUSIVE: Mapping[str, Script] = {
    "a": NO_METRICS,
    "alarm-period": {"cloudwatch.describe_alarms": THROTTLED},
    "b": {"s3.get_object": lambda account, params: body("no record")},
    "c": NO_METRICS,
    "capture-key": {"s3.get_object": THROTTLED},
    "d": {"sagemaker.delete_endpoint": DOWN},
    "d-schedule": {"sagemaker.create_data_quality_job_definition": refusal("ValidationException", "not available")},
    "dead-letter": {"sqs.receive_message": {}},
    "disk": {"sagemaker.describe_processing_job": {"ProcessingJobStatus": "Failed", "FailureReason": "capacity"}},
    "e": failed_job("InternalServerError"),
    "event-count": NO_METRICS,
    "f": {"sagemaker-runtime.invoke_endpoint": DOWN},
    "g": execution("AccessDenied"),
    "h": {"sagemaker.describe_processing_job": {"ProcessingJobStatus": "Failed", "FailureReason": "capacity"}},
    "i": STOPPED,
    "j": {"sagemaker.update_endpoint": THROTTLED},
    "k": {"sagemaker.describe_endpoint": {"EndpointStatus": "Failed", "FailureReason": "no image"}},
    "leading-keys": {"dynamodb.transact_write_items": lambda account, params: refusal("TransactionCanceledException")},
    "promotion-rule": {"events.put_events": THROTTLED},
    "serverless": {"sagemaker.create_model": refusal("ResourceLimitExceeded")},
    "serverless-key": {"kms.create_key": refusal("LimitExceededException")},
    "unload": {"athena.get_query_execution": {"QueryExecution": {"Status": {"State": "RUNNING"}}}},
}
CASES = [
    *((key, Verdict.CONFIRMED, {}) for key in PROBES),
    *((key, Verdict.DIFFERS, script) for key, script in DIFFERS.items() if key != "dead-letter"),
    *((key, Verdict.INCONCLUSIVE, script) for key, script in INCONCLUSIVE.items()),
]


def declared(probe: Probe) -> set[str]:
    staged = {call for stage in probe.all_stages() for call in stage.calls}
    return {*probe.calls, *staged} - IMPLIED


@pytest.mark.parametrize(("key", "verdict", "script"), CASES)
def test_probe_of_each_kind_of_account_reaches_its_verdict(
    key: str, verdict: Verdict, script: Script, make_sandbox: Make
) -> None:
    sandbox = make_sandbox(script)

    answer = asked(PROBES[key], sandbox)

    assert answer.verdict is verdict, answer.seen
    assert answer.seen
    assert set(sandbox.aws.calls) <= declared(PROBES[key])


@pytest.mark.parametrize("key", sorted(PROBES.keys() - {"e"}))
def test_probe_that_is_confirmed_made_every_call_that_it_declares(key: str, make_sandbox: Make) -> None:
    sandbox = make_sandbox()

    asked(PROBES[key], sandbox)

    # An update that is refused is not waited for, and so on: the endpoint is looked at when it is made.
    assert declared(PROBES[key]) - set(sandbox.aws.calls) <= {"sagemaker.delete_monitoring_schedule"}


def test_points_of_the_contracts_are_all_probed() -> None:
    assert PROBES.keys() >= OPEN_POINTS


def test_every_probe_has_three_verdicts_in_these_tests() -> None:
    assert DIFFERS.keys() == INCONCLUSIVE.keys() == PROBES.keys()


@pytest.mark.parametrize("probe", ALL, ids=lambda probe: probe.key)
def test_place_that_relies_on_an_assumption_says_so_still(probe: Probe) -> None:
    assert probe.places
    for place in probe.places:
        assert place.text in (ROOT / place.path).read_text(encoding="utf-8")


def test_roles_of_the_template_are_settled_whole(make_sandbox: Make) -> None:
    policies: list[str] = []
    sandbox = make_sandbox({"iam.put_role_policy": lambda account, params: policies.append(params["PolicyDocument"])})

    asked(PROBES["unload"], sandbox)
    sandbox.uses(hosting.ENDPOINT_ROLE)

    assert len(policies) == 4
    assert not any(mark in policy for policy in policies for mark in ("Fn::", "${", '"Ref"'))
    assert all(f"arn:aws:s3:::{NAME}-files/" in policy for policy in policies)


def test_script_of_training_ends_well_after_telling_its_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """What the probe of the isolated job relies on."""
    with pytest.raises(SystemExit, match="0"):
        train.main(["--help", ""], {})
    assert "usage: train" in capsys.readouterr().out


def test_answer_never_names_the_account(make_sandbox: Make) -> None:
    sandbox = make_sandbox(
        {"cloudwatch.put_metric_alarm": refusal("ValidationError", f"arn:aws:x:{REGION}:123456789012:y")}
    )

    answer = asked(PROBES["alarm-period"], sandbox)

    assert "<account>" in answer.seen and "123456789012" not in answer.seen
