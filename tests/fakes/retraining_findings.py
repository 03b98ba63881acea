"""What the jobs of a retraining leave behind: documents by literals, and jobs that write them where they belong."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fraud import dataset_checks, evaluation
from fraud.dataset_checks import Check, Outcome
from tests.deployment import packages

BETTER, UNCLEAR, WORSE = (0.04, 0.01, 0.07), (0.01, -0.02, 0.04), (-0.05, -0.08, -0.02)
"""Gains: difference, low and high."""
LEARNED = ("2025-03-10T00:00:00.000Z", "2025-05-30T00:00:00.000Z")
MEASURED = ("2025-06-01T00:00:00.000Z", "2025-06-07T23:59:59.000Z")
ENOUGH = Check(name="frauds", outcome=Outcome.PASSED, sentence="Frauds: enough.")
SHORT = Check(name="frauds", outcome=Outcome.NOT_ENOUGH, sentence="There are 3 frauds, and 50 are needed.")
LEAK = Check(name="leakage", outcome=Outcome.UNFIT, sentence="terminal_fraud_share_30d knows the future.")


def artefact(of: str = "first") -> bytes:
    """What a training leaves; another content for each."""
    return packages.archive(training={"of": of})


def checks(*found: Check, source: str = "archive") -> bytes:
    """`checks.json`."""
    learning = {"rows": 90_000, "frauds": 400, "first_at": LEARNED[0], "last_at": LEARNED[1]}
    measured = {"rows": 9_000, "frauds": 60, "first_at": MEASURED[0], "last_at": MEASURED[1]}
    told = [{"name": each.name, "outcome": each.outcome.value, "sentence": each.sentence} for each in found]
    document = {"schema_version": 1, "source": source, "rows": 105_000, "learning": learning, "evaluation": measured}
    return json.dumps(document | {"gap_days": 7, "left_out": {"gap": 6_000}, "checks": told}).encode()


def evaluated(champion: str, gain: Sequence[float] = BETTER, **fields: Any) -> bytes:
    """`evaluation.json` of a candidate, beside a champion by its ARN or, where that is empty, beside none."""
    model = packages.document()["model_sha256"]
    document = {
        "schema_version": 1,
        "source": "archive",
        "rows": 9_000,
        "frauds": 60,
        "cards": 1_200,
        "first_at": MEASURED[0],
        "last_at": MEASURED[1],
        "candidate": {
            "model_package": "",
            "model_sha256": model,
            "metrics": {"average_precision": 0.4, "ece": 0.01},
        },
        "champion": {
            "model_package": champion,
            "model_sha256": model,
            "metrics": {"average_precision": 0.36, "ece": 0.02},
        },
        "gains": {"average_precision": dict(zip(("difference", "low", "high"), gain, strict=True))},
        "segments": [],
        "groups": [],
    }
    return json.dumps(document | ({} if champion else {"champion": None, "gains": {}}) | fields).encode()


@dataclass(frozen=True)
class Findings:
    """What the jobs of a run find.

    Args:
        found: by the examination.
        gain: of the candidate over the champion.
        learned: what the model depends on, besides its code; None for the run's name: no two are alike.
    """

    found: Sequence[Check] = (ENOUGH,)
    gain: Sequence[float] = BETTER
    learned: str | None = None

    def examine(self, held: dict[str, bytes], run: Mapping[str, Any]) -> None:
        source = _argument(run["examine_arguments"], "--source")
        held[f"{run['examined_uri']}{dataset_checks.DOCUMENT}"] = checks(*self.found, source=source)

    def train(self, held: dict[str, bytes], run: Mapping[str, Any]) -> None:
        held[str(run["artefact_uri"])] = artefact(self.learned or str(run["train_name"]))

    def evaluate(self, held: dict[str, bytes], run: Mapping[str, Any]) -> None:
        source, champion = (_argument(run["evaluate_arguments"], name) for name in ("--source", "--champion"))
        document = evaluated("" if champion == "none" else champion, self.gain, source=source)
        written = {evaluation.DOCUMENT: document, evaluation.REPORT: b"<html>", evaluation.CARD: b"# Card"}
        held |= {f"{run['evaluated_uri']}{name}": content for name, content in written.items()}


def _argument(words: Sequence[str], name: str) -> str:
    return words[words.index(name) + 1]
