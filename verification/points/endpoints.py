"""Requests that are too large, and updates to the configuration that is there already."""

from __future__ import annotations

from verification.hosting import ENDPOINT_MINUTES, HOSTED, Hosted, invoke, settled
from verification.probe import Answer, Place, Probe, confirmed, differs, inconclusive
from verification.sandbox import Sandbox

LARGEST = 6 * 1024 * 1024
"""Bytes of a request that is still taken."""
TOO_LARGE = 413


def _ask_payload(sandbox: Sandbox) -> Answer:
    hosted: Hosted = sandbox.uses(HOSTED)
    fits = sandbox.refused(lambda: invoke(sandbox, hosted.endpoint, b"1" * LARGEST))
    above = sandbox.refused(lambda: invoke(sandbox, hosted.endpoint, b"1" * (LARGEST + 1)))
    at_most = fits.text if fits else "answered"
    beyond = above.text if above else "answered"
    seen = f"{LARGEST} bytes: {at_most}; one more: {beyond}"
    if any(each is not None and each.status >= 500 for each in (fits, above)):
        return inconclusive(seen)
    is_as_assumed = fits is None and above is not None and above.status == TOO_LARGE
    return confirmed(seen) if is_as_assumed else differs(seen)


def _ask_same(sandbox: Sandbox) -> Answer:
    hosted: Hosted = sandbox.uses(HOSTED)
    sagemaker = sandbox.client("sagemaker")
    same = sagemaker.describe_endpoint(EndpointName=hosted.endpoint)["EndpointConfigName"]
    refusal = sandbox.refused(lambda: sagemaker.update_endpoint(EndpointName=hosted.endpoint, EndpointConfigName=same))
    if refusal is None:
        settled(sandbox, hosted.endpoint)
        return differs("an update to the configuration in use was accepted, and went through")
    if refusal.code != "ValidationException":
        return inconclusive(refusal.text)
    return confirmed(refusal.text)


PROBES = (
    Probe(
        "f",
        "How large may a request to an endpoint be, and what is a larger one refused with?",
        "6 MiB; above that ValidationError with status 413. A batch of scoring is far smaller.",
        (Place("local/sagemaker/runtime.py", "BODY_BYTES = 6 * 1024 * 1024"),),
        _ask_payload,
        ("sagemaker-runtime.invoke_endpoint",),
        minutes=5,
        stages=(HOSTED,),
    ),
    Probe(
        "j",
        "Is an update to the configuration in use refused?",
        "It is; the project relies on neither, because a slot's endpoint is never updated.",
        (Place("functions/fraud/aws/endpoints.py", 'lambda found: bool(found["EndpointConfigName"] == plan.name)'),),
        _ask_same,
        ("sagemaker.describe_endpoint", "sagemaker.update_endpoint"),
        minutes=ENDPOINT_MINUTES + 1,
        stages=(HOSTED,),
    ),
)
