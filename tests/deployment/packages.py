"""A model package by literals: its document, its archive, and the values that stand for it in the registry."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from fraud import features
from fraud.deployment_ports import Approval, EndpointPlan, Evidence, Hosting, Instance, RegisteredPackage
from fraud.model_package import digest

NAMES = ("transaction_amount", "card_count_1h", "terminal_fraud_share_30d")
ARN = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/3"
ROLE = "arn:aws:iam::123456789012:role/models"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0"
URI = "s3://archive/models/m/model.tar.gz"
DOCUMENT_URI = "s3://archive/models/m/package.json"
MODEL = b"trees" * 100
INSTANCE = Instance("ml.m5.large")
HOSTING = Hosting(ROLE)
PLAN = EndpointPlan("fraud-a", ARN, 3, INSTANCE, HOSTING)

EVIDENCE = Evidence(
    description="promote: It is better: +0.040 average precision over the champion (95 % +0.010 to +0.070).",
    commit="a" * 40,
    generated_by="arn:aws:states:eu-central-1:123456789012:execution:retraining:first",
    lineage={"verdict": "promote", "training_job": "stack-0123456789ab-train", "trigger": "person ada@example.com"},
    evaluation_uri="s3://archive/models/m/evaluation.json",
    report_uri="s3://archive/models/m/report.html",
    card_uri="s3://archive/models/m/model_card.md",
    query_uri="s3://archive/models/m/training_set.sql",
    plan_uri="s3://archive/models/m/retraining_plan.json",
)


def document(**parts: Any) -> dict[str, Any]:
    """A package document that can be served."""
    return {
        "schema_version": 1,
        "model_sha256": digest(MODEL),
        "contract": {"names": list(NAMES), "hash": features.contract_hash(NAMES)},
        "thresholds": {"review": 0.6, "block": 0.9},
        "score_quantiles": [i / 100 for i in range(101)],
        "baseline": {name: {"edges": [1.0], "counts": [3, 4], "missing": 2} for name in NAMES},
        "smoke_vectors": [
            {"features": [1000.0, 0.0, None], "score": 0.02},
            {"features": [90000.0, 7.0, 0.5], "score": 0.97},
        ],
        "training": {"rows": 9},
    } | parts


def text(**parts: Any) -> bytes:
    return json.dumps(document(**parts)).encode()


def archive(files: Mapping[str, bytes] | None = None, **parts: Any) -> bytes:
    """An artefact; `files` replaces or, when empty, removes members."""
    content = {"model.ubj": MODEL, "package.json": text(**parts), "code/inference.py": b"pass"} | dict(files or {})
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for name, body in content.items():
            if body:
                member = tarfile.TarInfo(name)
                member.size = len(body)
                tar.addfile(member, io.BytesIO(body))
    return gzip.compress(packed.getvalue(), mtime=0)


def registered(**fields: Any) -> RegisteredPackage:
    artefact = archive()
    defaults: dict[str, Any] = {
        "model_package": ARN,
        "version": 3,
        "completed": True,
        "approval": Approval.APPROVED,
        "artefact_uri": URI,
        "document_uri": DOCUMENT_URI,
        "artefact_sha256": digest(artefact),
        "artefact_bytes": len(artefact),
    }
    return RegisteredPackage(**defaults | fields)
