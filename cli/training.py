"""Trains a model here as a SageMaker training job would: same source archive, same launch, same artefact."""

import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console
from cli.errors import CommandError
from cli.history import History

if TYPE_CHECKING:
    from model.dataset import Dataset

ARCHIVE, LOG, REPORT = "model.tar.gz", "train.log", "report.html"
LOG_LINES_SHOWN = 5


def assemble(history: History) -> "Dataset":
    """The features of every transaction as they would have been served."""
    from model import dataset

    rows = len(history.transactions)
    with console.progress("Computing features", rows) as meter:
        return dataset.assemble(
            history.transactions, history.labels, history.as_of, progress=lambda done, _: meter.reach(done)
        )


def fit(dataset: "Dataset", out: Path, parameters: Mapping[str, object] | None = None) -> dict[str, float]:
    """Train on it; `out` then holds the model package, its archive, metrics, report and log. Raises: CommandError.

    `parameters` are hyperparameters other than those of params.json.
    """
    import pyarrow.parquet as parquet

    from fraud.errors import InvalidPackage
    from model import package, training_report

    with tempfile.TemporaryDirectory(prefix="fraud-train-") as directory, console.working("Training"):
        container = Container(Path(directory), out.resolve())
        container.prepare()
        parquet.write_table(dataset.training_table(), container.channel / "train.parquet")
        container.run(parameters or {})
    try:
        package.build_archive(out, out / ARCHIVE)
    except InvalidPackage as error:
        raise CommandError(f"The trained model cannot be served: {error}.") from error
    with console.working("Drawing the report"):
        training_report.write(out, out, out / REPORT)
    metrics: dict[str, float] = json.loads((out / "metrics.json").read_text())
    return metrics


class Container:
    """The directories and the launch of a training container."""

    def __init__(self, base: Path, out: Path) -> None:
        self._base, self._code, self._out = base, base / "code", out
        self.channel = base / "input" / "data" / "train"

    def prepare(self) -> None:
        """Unpack the source archive where the container would."""
        from fraud import job_source
        from model import package

        for directory in (self._code, self.channel, self._out):
            directory.mkdir(parents=True, exist_ok=True)
        archive = self._base / job_source.NAME
        package.build_source(archive)
        with tarfile.open(archive) as source:
            source.extractall(self._code, filter="data")

    def run(self, parameters: Mapping[str, object]) -> None:
        """Run the script; what it says goes to the log. Raises: CommandError."""
        log = self._out / LOG
        arguments = [word for name, value in parameters.items() for word in (f"--{name}", str(value))]
        with log.open("w") as lines:
            done = subprocess.run(  # noqa: S603 - our own script, by full arguments
                [sys.executable, "-m", "train", *arguments],
                check=False,
                cwd=self._code,
                env=self._environment(),
                stdout=lines,
                stderr=lines,
            )
        if done.returncode:
            last = " | ".join(log.read_text().splitlines()[-LOG_LINES_SHOWN:])
            raise CommandError(f"Training failed; {log} ends with: {last}")

    def _environment(self) -> dict[str, str]:
        inherited: Mapping[str, Any] = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {
            **inherited,
            "SAGEMAKER_BASE_DIR": str(self._base),
            "SM_CHANNEL_TRAIN": str(self.channel),
            "SM_MODEL_DIR": str(self._out),
            "SM_OUTPUT_DATA_DIR": str(self._out),
            "SM_NUM_CPUS": str(os.cpu_count() or 1),
            "PYTHONUNBUFFERED": "1",
        }
