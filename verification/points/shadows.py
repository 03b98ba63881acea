"""SageMaker's own shadow variants, which the project leaves alone."""

from __future__ import annotations

from typing import Any

from verification.errors import TookTooLong
from verification.hosting import (
    ENDPOINT_MINUTES,
    HOSTING_CALLS,
    MODEL,
    Hosted,
    captured,
    invoke,
    make_config,
    make_endpoint,
    settled,
    variant,
)
from verification.points.captures import CAPTURE_MINUTES, captured_keys
from verification.probe import Answer, Place, Probe, Stage, Term, inconclusive, judged
from verification.sandbox import Sandbox

SHADOW = "shadow"
REQUESTS = 30
METRIC_MINUTES = 15


def _content(sandbox: Sandbox) -> dict[str, Any]:
    model = sandbox.uses(MODEL)
    return {
        "ProductionVariants": [variant(model)],
        "ShadowProductionVariants": [variant(model, SHADOW)],
        "DataCaptureConfig": captured(sandbox),
    }


def _make_shadowed(sandbox: Sandbox) -> Hosted:
    content = _content(sandbox)
    config = make_config(sandbox, "sh-config", content)
    return Hosted(make_endpoint(sandbox, "sh-endpoint", config), sandbox.uses(MODEL), content)


SHADOWED = Stage(
    "an endpoint with a shadow variant",
    _make_shadowed,
    HOSTING_CALLS,
    ENDPOINT_MINUTES,
    (Term("hosting_ml.m5.large", 2, hourly=True),),
    (MODEL,),
)


def _ask_metrics(sandbox: Sandbox) -> Answer:
    hosted: Hosted = sandbox.uses(SHADOWED)
    for _ in range(REQUESTS):
        invoke(sandbox, hosted.endpoint)

    def look() -> list[dict[str, str]] | None:
        metrics = sandbox.client("cloudwatch").list_metrics(
            Namespace="AWS/SageMaker",
            MetricName="Invocations",
            Dimensions=[{"Name": "EndpointName", "Value": hosted.endpoint}],
        )["Metrics"]
        found = [{each["Name"]: each["Value"] for each in metric["Dimensions"]} for metric in metrics]
        return found if len({each.get("VariantName") for each in found}) > 1 else None

    try:
        dimensions = sandbox.until("metrics of both variants are listed", look, METRIC_MINUTES, every=30)
    except TookTooLong as error:
        return inconclusive(str(error))
    # What is captured arrives minutes later than metrics may.
    sandbox.sleep(CAPTURE_MINUTES * 60)
    wanted = {"EndpointName": hosted.endpoint, "VariantName": SHADOW}
    keys = [key for key in captured_keys(sandbox, hosted.endpoint) if f"/{SHADOW}/" in key]
    seen = f"dimensions {dimensions}; captured below {keys[:1] or 'no prefix of the shadow'}"
    return judged(wanted in dimensions and bool(keys), seen)


def _ask_guardrails(sandbox: Sandbox) -> Answer:
    hosted: Hosted = sandbox.uses(SHADOWED)
    config = make_config(sandbox, "sh-config-2", hosted.config)
    policy = {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 60},
            "MaximumExecutionTimeoutInSeconds": 1_800,
        }
    }
    refusal = sandbox.refused(
        lambda: sandbox.client("sagemaker").update_endpoint(
            EndpointName=hosted.endpoint, EndpointConfigName=config, DeploymentConfig=policy
        )
    )
    if refusal is None:
        settled(sandbox, hosted.endpoint)
    return judged(refusal is not None, refusal.text if refusal else "an update with a policy was accepted")


PROBES = (
    Probe(
        "c",
        "Which dimensions have a shadow variant's metrics, and where is what it is asked captured?",
        "EndpointName with the shadow's own VariantName, and below that name. The project scores in the shadow itself.",
        (Place("docs/decisions/0014-the-shadow-reads-the-decision-stream.md", "shadow"),),
        _ask_metrics,
        ("sagemaker-runtime.invoke_endpoint", "cloudwatch.list_metrics", "s3.list_objects_v2"),
        minutes=METRIC_MINUTES + CAPTURE_MINUTES + 2,
        stages=(SHADOWED,),
    ),
    Probe(
        "k",
        "Does an endpoint with a shadow variant take a deployment with guardrails?",
        "It is refused, so the two cannot be combined; the project has one variant of one name and needs neither.",
        (Place("functions/fraud/aws/endpoints.py", "SageMaker's deployment guardrails need that"),),
        _ask_guardrails,
        ("sagemaker.create_endpoint_config", "sagemaker.update_endpoint", "sagemaker.describe_endpoint"),
        minutes=ENDPOINT_MINUTES + 1,
        # A second fleet, if it is taken.
        terms=(Term("hosting_ml.m5.large", 1),),
        stages=(SHADOWED,),
    ),
)
