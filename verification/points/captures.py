"""What an endpoint captures: the shape of a record, and the key that it is encrypted with."""

from __future__ import annotations

import json
from typing import Any

from verification.errors import TookTooLong
from verification.hosting import CAPTURE, HOSTED, Hosted, invoke
from verification.probe import Answer, Place, Probe, Stage, differs, inconclusive, judged
from verification.sandbox import Sandbox
from verification.stages import BUCKET, KEY

ATTRIBUTES = "trace=1"
CAPTURE_MINUTES = 10
REQUESTS = 20


def captured_keys(sandbox: Sandbox, endpoint: str) -> list[str]:
    """Keys of what an endpoint captured, a thousand at most."""
    listed = sandbox.client("s3").list_objects_v2(Bucket=sandbox.uses(BUCKET), Prefix=f"{CAPTURE}/{endpoint}/")
    return sorted(each["Key"] for each in listed.get("Contents", []))


def _make_captured(sandbox: Sandbox) -> str:
    """Ask the endpoint; the key of the first object that it captured."""
    hosted: Hosted = sandbox.uses(HOSTED)
    for number in range(REQUESTS):
        invoke(sandbox, hosted.endpoint, CustomAttributes=ATTRIBUTES, InferenceId=f"{sandbox.run}-{number}")
    keys = sandbox.until(
        "something is captured", lambda: captured_keys(sandbox, hosted.endpoint) or None, CAPTURE_MINUTES, every=30
    )
    return keys[0]


CAPTURED = Stage(
    "captured requests",
    _make_captured,
    ("sagemaker-runtime.invoke_endpoint", "s3.list_objects_v2"),
    CAPTURE_MINUTES + 1,
    needs=(HOSTED,),
)


def _object(sandbox: Sandbox) -> Any:
    return sandbox.client("s3").get_object(Bucket=sandbox.uses(BUCKET), Key=sandbox.uses(CAPTURED))


def _ask_attributes(sandbox: Sandbox) -> Answer:
    key = sandbox.uses(CAPTURED)
    first = json.loads(_object(sandbox)["Body"].read().splitlines()[0])
    about = first["eventMetadata"]
    if "customAttributes" not in about:
        return differs(f"no customAttributes in {json.dumps(about)}; key {key}")
    types = {name: part.get("encoding") for name, part in first["captureData"].items()}
    seen = f"customAttributes is {json.dumps(about['customAttributes'])}; encodings {json.dumps(types)}; key {key}"
    return judged(about["customAttributes"] == [ATTRIBUTES], seen)


def _ask_key(sandbox: Sandbox) -> Answer:
    try:
        found = _object(sandbox)
    except TookTooLong as error:
        return inconclusive(str(error))
    algorithm, key = found.get("ServerSideEncryption"), found.get("SSEKMSKeyId")
    is_ours = key == sandbox.uses(KEY)
    return judged(is_ours, f"encrypted by {algorithm}, {'with our key' if is_ours else f'with {key}'}")


PROBES = (
    Probe(
        "b",
        "Of which type is customAttributes in a captured record?",
        "A list with the header's text as its one value.",
        (Place("local/sagemaker/capture.py", 'about["customAttributes"] = ['),),
        _ask_attributes,
        ("s3.get_object",),
        minutes=1,
        stages=(CAPTURED,),
    ),
    Probe(
        "capture-key",
        "Does the template's role of endpoints suffice to encrypt volumes and what is captured with the stack's key?",
        "Its statements on S3 and KMS are all that SageMaker needs to use the key for both.",
        (
            Place("template.yaml", "SageMakerExecutionRole:"),
            Place("functions/fraud/aws/endpoints.py", "def _capture(capture"),
        ),
        _ask_key,
        ("s3.get_object",),
        minutes=1,
        stages=(CAPTURED, KEY),
    ),
)
