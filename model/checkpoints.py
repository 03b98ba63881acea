"""Checkpoints of a training that may be interrupted, so that it goes on instead of beginning anew.

SageMaker copies their directory away while it changes, and restores it before it starts the script once more. A
checkpoint is a zip file, whose checksums tell a damaged one; its name begins with a fingerprint of all that the model
follows from, so that one of other data is never taken up.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb

EVERY_ROUNDS = 25
KEPT = 2
"""More than one, because the newest may be on its way to S3 when the machine is taken away."""

MODEL, CURVE = "model.ubj", "curve.json"
# What SageMaker does with files in the directory is written in their suffixes.
_DRAFT, _UPLOADING, _UPLOADED = ".sagemaker-ignore", ".sagemaker-uploading", ".sagemaker-uploaded"

Curve = Mapping[str, Sequence[float]]
"""Metric → its value on the validation rows after each round."""

EvalsLog = xgb.callback.TrainingCallback.EvalsLog


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training came.

    Args:
        rounds: boosted until then.
        model: the booster, UBJSON.
        curve: of all these rounds.
    """

    rounds: int
    model: bytes
    curve: Curve


class Checkpoints:
    """Those of one training.

    Args:
        directory: may hold others' as well.
        fingerprint: of what is learned from and how.
    """

    def __init__(self, directory: Path, fingerprint: str) -> None:
        self._directory, self._fingerprint = directory, fingerprint

    def newest(self) -> Progress | None:
        """The one of the most rounds that is whole; None where there is none."""
        read = (_read(path) for path in reversed(self._paths()))
        return next((progress for progress in read if progress is not None), None)

    def write(self, progress: Progress) -> None:
        """Add one and remove those that are too old; an interruption leaves the whole file or none."""
        path = self._directory / f"{self._fingerprint}-{progress.rounds:06d}.zip"
        draft = _beside(path, _DRAFT)
        with zipfile.ZipFile(draft, "w") as archive:
            archive.writestr(MODEL, progress.model)
            archive.writestr(CURVE, json.dumps(progress.curve))
        draft.replace(path)
        for old in self._paths()[:-KEPT]:
            if not _is_uploading(old):
                old.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        return sorted(self._directory.glob(f"{self._fingerprint}-*.zip"))


class Saving(xgb.callback.TrainingCallback):
    """Writes a checkpoint every so many rounds.

    Args:
        checkpoints: of the training.
        before: what it goes on from, if anything.
    """

    def __init__(self, checkpoints: Checkpoints, before: Progress | None) -> None:
        super().__init__()
        self._checkpoints, self._before = checkpoints, before.curve if before else {}

    def after_iteration(self, model: Any, epoch: int, evals_log: Mapping[str, Mapping[str, Any]]) -> bool:
        """Never asks to stop."""
        rounds = model.num_boosted_rounds()
        if rounds % EVERY_ROUNDS == 0:
            (log,) = evals_log.values()
            curve = {name: [*self._before.get(name, ()), *values] for name, values in log.items()}
            self._checkpoints.write(Progress(rounds, bytes(model.save_raw("ubj")), curve))
        return False


def fingerprint(parameters: Mapping[str, object], names: Sequence[str], *columns: npt.NDArray[Any]) -> str:
    """Hex digits that are the same for the same rows, parameters and version of XGBoost."""
    digest = hashlib.sha256(json.dumps([xgb.__version__, parameters, list(names)], sort_keys=True).encode())
    for each in columns:
        digest.update(f"{each.dtype}{each.shape}".encode())
        digest.update(np.ascontiguousarray(each).data)
    return digest.hexdigest()[:32]


def replay(curve: Curve, name: str) -> Iterator[EvalsLog]:
    """The log that callbacks saw after each round of a curve; `name` is that of the validation rows."""
    rounds = len(next(iter(curve.values())))
    return ({name: {metric: list(values[: end + 1]) for metric, values in curve.items()}} for end in range(rounds))


def _read(path: Path) -> Progress | None:
    try:
        with zipfile.ZipFile(path) as archive:
            model, curve = archive.read(MODEL), json.loads(archive.read(CURVE))
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
        print(f"checkpoint {path.name} is damaged and passed over: {error}", flush=True)
        return None
    return Progress(int(path.stem.rpartition("-")[2]), model, curve)


def _is_uploading(path: Path) -> bool:
    return _beside(path, _UPLOADING).exists() and not _beside(path, _UPLOADED).exists()


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)
