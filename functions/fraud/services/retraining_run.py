"""What the states of the machine's jobs read: every name, address and argument of a run, as plain values."""

from __future__ import annotations

from typing import Any

from fraud.retraining import Files, Retraining
from fraud.transaction import rfc3339

SUBMIT_DIRECTORY = "/opt/ml/input/data/code/source.tar.gz"
"""Where the channel `code` brings the source: with the network shut off, the container cannot fetch it itself."""
NO_CHAMPION = "none"


def run(
    record: Retraining, files: Files, *, source_uri: str, query: str = "", champion_uri: str = ""
) -> dict[str, Any]:
    """All of a run.

    Args:
        record: of it.
        files: its names and places.
        source_uri: of the source archive.
        query: the statement that makes the data set.
        champion_uri: artefact of the champion; empty where there is none, or where that does not matter yet.
    """
    plan = record.plan
    return {
        "query": query,
        "source_uri": source_uri,
        "data_uri": _data(record, files, source_uri),
        "examined_uri": files.examined,
        "learn_uri": f"{files.examined}learn/",
        "evaluate_uri": f"{files.examined}evaluate/",
        "checkpoint_uri": files.checkpoints,
        "model_uri": files.model,
        "artefact_uri": files.artefact,
        # A job's inputs are fixed: without a champion the candidate stands in for it, and is not looked at.
        "champion_uri": champion_uri or files.artefact,
        "evaluated_uri": files.evaluated,
        "examine_name": files.job("examine"),
        "train_name": files.job("train"),
        "evaluate_name": files.job("evaluate"),
        "examine_arguments": _examine(record),
        "evaluate_arguments": _evaluate(record),
        "hyperparameters": _hyperparameters(record),
        "instance_type": plan.instance_type,
        "spot": plan.spot,
        "stopping": _stopping(record),
        "run_seconds": plan.run_seconds,
    }


def _data(record: Retraining, files: Files, source_uri: str) -> str:
    # A job's input must hold something; the simulator reads nothing of it.
    return {"archive": files.dataset, "history": record.plan.history_uri}.get(record.source, source_uri)


def _examine(record: Retraining) -> list[str]:
    plan = record.plan
    return _arguments(
        source=record.source,
        as_of=rfc3339(record.as_of),
        training_days=plan.training_days,
        maturity_days=plan.maturity_days,
        evaluation_days=plan.evaluation_days,
        gap_days=plan.gap_days,
        fewest_frauds=plan.fewest_frauds,
        fewest_evaluation_frauds=plan.fewest_evaluation_frauds,
        freshest_hours=plan.freshest_hours,
        freshest_label_days=plan.freshest_label_days,
        most_fraud_share=plan.most_fraud_share,
    )


def _evaluate(record: Retraining) -> list[str]:
    plan = record.plan
    return _arguments(
        source=record.source,
        champion=record.champion or NO_CHAMPION,
        draws=plan.draws,
        fairness=",".join(plan.fairness) or "none",
    )


def _arguments(**values: object) -> list[str]:
    return [word for name, value in values.items() for word in (f"--{name.replace('_', '-')}", str(value))]


def _hyperparameters(record: Retraining) -> dict[str, str]:
    own = {"sagemaker_program": "train.py", "sagemaker_submit_directory": SUBMIT_DIRECTORY}
    return {name: str(value) for name, value in record.plan.hyperparameters.items()} | own


def _stopping(record: Retraining) -> dict[str, int]:
    """The wait may only be given for training that may be interrupted."""
    plan = record.plan
    return {"MaxRuntimeInSeconds": plan.run_seconds} | (
        {"MaxWaitTimeInSeconds": plan.wait_seconds} if plan.spot else {}
    )
