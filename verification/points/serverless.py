"""A serverless endpoint with the image of XGBoost: whether it comes up, how cold it starts, and its key."""

from __future__ import annotations

from typing import Any

from fraud.aws.endpoints import VARIANT
from verification.hosting import HOSTING_CALLS, MODEL, invoke, make_config, make_endpoint
from verification.probe import Answer, Place, Probe, Term, differs, judged
from verification.sandbox import Sandbox
from verification.stages import KEY

MEMORY_MB = 2_048
BUDGET_SECONDS = 60.0


def _variant(model: str) -> dict[str, Any]:
    return {
        "VariantName": VARIANT,
        "ModelName": model,
        "ServerlessConfig": {"MemorySizeInMB": MEMORY_MB, "MaxConcurrency": 1},
    }


def _timed(sandbox: Sandbox, endpoint: str) -> float:
    began = sandbox.clock()
    invoke(sandbox, endpoint)
    return sandbox.clock() - began


def _ask_cold(sandbox: Sandbox) -> Answer:
    config = make_config(sandbox, "sl-config", {"ProductionVariants": [_variant(sandbox.uses(MODEL))]})
    endpoint = make_endpoint(sandbox, "sl-endpoint", config)
    refusal = sandbox.refused(lambda: invoke(sandbox, endpoint))
    if refusal is not None and refusal.status not in (429, 503):
        return differs(f"the first call: {refusal.text}")
    times = [_timed(sandbox, endpoint) for _ in range(3)]
    first = refusal.text if refusal else "answered"
    seen = f"{MEMORY_MB} MB; first call {first}; then {', '.join(f'{each:.2f} s' for each in times)}"
    return judged(min(times) < 1.0, seen)


def _ask_key(sandbox: Sandbox) -> Answer:
    content = {"ProductionVariants": [_variant(sandbox.uses(MODEL))], "KmsKeyId": sandbox.uses(KEY)}
    refusal = sandbox.refused(lambda: make_config(sandbox, "sl-key-config", content))
    return judged(refusal is not None, refusal.text if refusal else "a configuration with KmsKeyId was accepted")


PROBES = (
    Probe(
        "serverless-key",
        "Is a key for volumes refused where there are no machines?",
        "A serverless configuration with KmsKeyId is refused, so the project gives none.",
        (Place("functions/fraud/aws/endpoints.py", "KmsKeyId"),),
        _ask_key,
        ("sagemaker.create_endpoint_config",),
        minutes=1,
        stages=(MODEL, KEY),
    ),
    Probe(
        "serverless",
        "Does the image of XGBoost serve without a server, and how cold does it start?",
        f"It comes up in {MEMORY_MB:,} MB, and answers within a second once it is warm.",
        (Place("template.yaml", "Profiles:"),),
        _ask_cold,
        (*HOSTING_CALLS, "sagemaker-runtime.invoke_endpoint"),
        minutes=25,
        # Four calls of at most a minute each.
        terms=(Term("serverless_duration", 4 * BUDGET_SECONDS * MEMORY_MB / 1_024),),
        stages=(MODEL,),
    ),
)
