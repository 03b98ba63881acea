"""Containers of the jobs on this machine: isolated, with the source archive and what is installed, no more."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import fraud
from fraud import job_source
from fraud.services.retraining_run import SUBMIT_DIRECTORY
from local.children import Children, Location
from local.sagemaker import job_container

CORE = Path(fraud.__file__).parent
ROOT = CORE.parent.parent
DEFINITION = json.loads((ROOT / "state_machines" / "retraining.asl.json").read_text())
NOWHERE = Location("http://127.0.0.1:9", "eu-west-1", "123456789012")
LONGEST_SECONDS = 120


class Training:
    """A training job's container, to be started again and again."""

    def __init__(self, base: Path, source: bytes, table: pa.Table) -> None:
        self.base = base
        for directory in ("input/config", "input/data/train", "input/data/code", "code", "model", "output/data"):
            (base / directory).mkdir(parents=True)
        self.give(table)
        (base / "input/data/code" / job_source.NAME).write_bytes(source)
        self._configure("resourceconfig", {"current_host": "algo-1", "hosts": ["algo-1"]})
        self._configure("inputdataconfig", {"train": {}, "code": {}})

    def give(self, table: pa.Table) -> None:
        pq.write_table(table, self.base / "input/data/train/part-0.parquet")

    def run(self, hyperparameters: Mapping[str, str]) -> tuple[int, str]:
        """Exit status and log."""
        own = {"sagemaker_program": "train.py", "sagemaker_submit_directory": SUBMIT_DIRECTORY}
        self._configure("hyperparameters", {**hyperparameters, **own})
        given = {"SAGEMAKER_BASE_DIR": str(self.base), "PIP_NO_BUILD_ISOLATION": "0"}
        return _contain("training_container", (), self.base, given)

    def _configure(self, name: str, content: Mapping[str, object]) -> None:
        (self.base / "input/config" / f"{name}.json").write_text(json.dumps(content))


def process(
    base: Path, state: str, arguments: Sequence[str], inputs: Mapping[str, Mapping[str, bytes]]
) -> tuple[int, str]:
    """Exit status and log of a processing job of the machine, launched as its state has it.

    Args:
        base: stands for /opt/ml.
        state: name of the state.
        arguments: of the container.
        inputs: name → files by their names.
    """
    given = DEFINITION["States"][state]["Parameters"]
    for each in given["ProcessingInputs"]:
        directory = Path(job_container.located(each["S3Input"]["LocalPath"], base))
        directory.mkdir(parents=True)
        for name, content in inputs[each["InputName"]].items():
            (directory / name).write_bytes(content)
    command = job_container.located([*given["AppSpecification"]["ContainerEntrypoint"], *arguments], base)
    return _contain("processing_container", command, base, {})


def _contain(module: str, arguments: Sequence[str], base: Path, given: Mapping[str, str]) -> tuple[int, str]:
    environment = job_container.environment(NOWHERE, base, given, isolated=True)
    with closing(Children()) as children, (base / "log").open("wb") as log:
        container = children.start(f"local.sagemaker.{module}", [str(base), *arguments], environment, log)
        status = container.wait(LONGEST_SECONDS)
    return status, (base / "log").read_text()
