"""The scripts of the jobs as their containers start them: with the source archive and the image's packages, no more."""

from __future__ import annotations

import ast
import io
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fraud import dataset_checks, evaluation, job_source
from fraud.retraining import Files
from fraud.retraining_plan import Plan
from fraud.services import retraining_run
from local.sagemaker import job_container
from model import dataset, package, train
from model.simulator import SimulationConfig, simulate
from tests.fakes.retraining import EXECUTION, retraining
from tests.model.job_containers import CORE, NOWHERE, ROOT, Training, process

SCRIPTS = [name.removesuffix(".py") for name in job_source.SCRIPTS]
LACKING = ("aws_lambda_powertools", "boto3", "botocore", "hypothesis", "msgspec", "rich", "typer")
IMAGE = f"""
import sys

class Lacking:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {LACKING!r}:
            raise ModuleNotFoundError(f"the image has no {{name}}", name=name)

sys.meta_path.insert(0, Lacking())
"""
INTERRUPTED = b"""
import os
import signal

write = Checkpoints.write

def taken_away(self, progress):
    write(self, progress)
    if progress.rounds == 50:
        print("taken away", flush=True)
        os.kill(os.getpid(), signal.SIGTERM)
        print("still here", flush=True)

Checkpoints.write = taken_away
"""


@pytest.fixture(scope="module")
def table() -> pa.Table:
    config = SimulationConfig(seed=21, cards=90, terminals=110, days=36, fraud_rate=0.03)
    market = simulate(config)
    return dataset.assemble(market.transactions, market.labels, config.start + timedelta(days=50)).training_table()


@pytest.fixture(scope="module")
def source() -> bytes:
    return job_source.build(ROOT / "model", CORE)


@pytest.fixture(scope="module")
def code(source: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("ml") / "code"
    with tarfile.open(fileobj=io.BytesIO(source)) as tar:
        tar.extractall(directory, filter="data")
    return directory


def run(code: Path, program: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a job's container whose image has what the real one has."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", IMAGE + program],
        cwd=code,
        env=job_container.environment(NOWHERE, code.parent, {}, isolated=True),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def reached(code: Path, script: str) -> set[str]:
    """Modules of ours that a script imports, now or when a function is called, and what those import."""
    found, left = set(), [script]
    while left:
        path = code.joinpath(*left.pop().split(".")).with_suffix(".py")
        new = {name for name in _imported(path) if code.joinpath(*name.split(".")).with_suffix(".py").is_file()} - found
        found |= new
        left += new
    return found


def _imported(path: Path) -> Iterator[str]:
    """A name that is imported from a package may be a module of it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "the containers import no relative module"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("name", [*LACKING, "cli", "local", "fraud.errors"])
def test_container_has_neither_the_repository_nor_what_the_image_lacks(code: Path, name: str) -> None:
    """Were it otherwise, the other tests would prove nothing."""
    assert "ModuleNotFoundError" in run(code, f"import {name}").stderr


def test_container_is_cut_off_from_the_network(code: Path) -> None:
    assert "the job is isolated" in run(code, "import socket; socket.create_connection(('127.0.0.1', 9))").stderr


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_module_that_a_script_reaches_can_be_imported_in_the_container(code: Path, script: str) -> None:
    modules = sorted(reached(code, script))
    assert "fraud.features" in modules and "model.metrics" in modules

    imports = run(code, f"import {script}, {', '.join(modules)}")

    assert imports.returncode == 0, imports.stderr


def test_train_launched_by_the_container_takes_hyperparameters_that_are_all_text(
    tmp_path: Path, source: bytes, table: pa.Table
) -> None:
    job = Training(tmp_path / "ml", source, table)

    status, log = job.run({"max_depth": "4", "eta": "0.1", "num_boost_round": "60", "lambda": "5"})

    assert status == 0, log
    document = package.build_archive(job.base / "model", tmp_path / "model.tar.gz")
    parameters = document.training["parameters"]
    assert (parameters["max_depth"], parameters["eta"], parameters["lambda"]) == (4, 0.1, 5.0)
    assert json.loads((job.base / "output/data/metrics.json").read_text())["average_precision"] > 0
    assert (job.base / "output/data" / train.VALIDATION).exists()
    assert "validation:average_precision=" in log


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"max_dept": "4"}, "unrecognized arguments: --max_dept 4"),
        ({"max_depth": "deep"}, "invalid int value: 'deep'"),
    ],
)
def test_train_launched_with_a_hyperparameter_that_cannot_be_says_which_in_its_log(
    tmp_path: Path, source: bytes, table: pa.Table, hyperparameters: Mapping[str, str], message: str
) -> None:
    job = Training(tmp_path, source, table)

    status, log = job.run(hyperparameters)

    assert status == 1
    assert message in log
    assert not list((job.base / "model").iterdir())


def test_spot_interruption_of_a_training_ends_it_at_once_and_the_restarted_one_resumes(
    tmp_path: Path, source: bytes, table: pa.Table
) -> None:
    """The other machine has nothing of the first but what the platform restores."""
    first = Training(tmp_path / "first", interrupted(source), table)
    (first.base / "checkpoints").mkdir()
    hyperparameters = {"num_boost_round": "90", "eta": "0.1"}
    status, log = first.run(hyperparameters)
    assert status == 1
    assert "taken away" in log and "still here" not in log
    assert not list((first.base / "model").iterdir())

    second = Training(tmp_path / "second", source, table)
    shutil.copytree(first.base / "checkpoints", second.base / "checkpoints")

    status, log = second.run(hyperparameters)
    assert status == 0, log
    assert "resumed at round 50" in log
    assert "[0]" not in log
    assert json.loads((second.base / "output/data/metrics.json").read_text())["average_precision"] > 0.5


def interrupted(source: bytes) -> bytes:
    """A source whose training loses its machine after the checkpoint of round 50."""
    with tarfile.open(fileobj=io.BytesIO(source)) as tar:
        files = {member.name: content.read() for member in tar if (content := tar.extractfile(member))}
    return job_source.pack({**files, "model/checkpoints.py": files["model/checkpoints.py"] + INTERRUPTED})


def test_training_restarted_with_other_data_begins_anew(tmp_path: Path, source: bytes, table: pa.Table) -> None:
    job = Training(tmp_path, source, table)
    (job.base / "checkpoints").mkdir()
    assert job.run({"num_boost_round": "30"})[0] == 0

    job.give(table.slice(1))

    status, log = job.run({"num_boost_round": "30"})
    assert status == 0, log
    assert "resumed" not in log


def files(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_jobs_launched_as_the_machine_has_it_hand_on_what_the_next_one_reads(tmp_path: Path, source: bytes) -> None:
    where = Files("archive", "fraud-detection", EXECUTION, "first")
    plan = Plan(hyperparameters={"num_boost_round": 60, "eta": 0.2}, draws=100)
    run = retraining_run.run(retraining(source="simulator", plan=plan), where, source_uri="s3://archive/source.tar.gz")
    code = {job_source.NAME: source}

    inputs = {"source": code, "data": code}
    status, log = process(tmp_path / "examine", "Examine the data", run["examine_arguments"], inputs)
    assert status == 0, log
    examined = tmp_path / "examine/processing/output"
    assert dataset_checks.parse((examined / "checks.json").read_bytes())

    training = Training(tmp_path / "train", source, pq.read_table(examined / "learn"))
    own = ("sagemaker_program", "sagemaker_submit_directory")
    status, log = training.run({name: value for name, value in run["hyperparameters"].items() if name not in own})
    assert status == 0, log
    package.build_archive(training.base / "model", tmp_path / "model.tar.gz")

    artefact = {"model.tar.gz": (tmp_path / "model.tar.gz").read_bytes()}
    rows = files(examined / "evaluate")
    inputs = {"source": code, "rows": rows, "candidate": artefact, "champion": artefact}
    status, log = process(tmp_path / "evaluate", "Evaluate the candidate", run["evaluate_arguments"], inputs)
    assert status == 0, log
    evaluated = tmp_path / "evaluate/processing/output"
    assert evaluation.parse((evaluated / "evaluation.json").read_bytes())
    assert {"report.html", "model_card.md"} <= set(files(evaluated))
