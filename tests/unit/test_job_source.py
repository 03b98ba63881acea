"""The source archive of the jobs: what it holds, and that its bytes follow from nothing else."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

import fraud
from fraud import job_source

CORE = Path(fraud.__file__).parent
MODEL = CORE.parent.parent / "model"
LARGEST = 250_000
"""Bytes; every job fetches it."""


@pytest.fixture
def packages(tmp_path: Path) -> tuple[Path, Path]:
    """`model` and `fraud`, each with more than belongs into the archive."""
    model, core = tmp_path / "model", tmp_path / "fraud"
    for name in (*job_source.SCRIPTS, "__init__.py", "params.json", "report.html", "notes.txt", "metrics.pyc"):
        write(model / name)
    for name in ("sql/training_set.sql", "__pycache__/train.cpython-311.pyc", "tests/test_train.py"):
        write(model / name)
    for name in (*job_source.CORE, "errors.py", "bootstrap.py", "aws/s3.py"):
        write(core / name)
    return model, core


def write(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(path.name)


def members(archive: bytes) -> list[tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return tar.getmembers()


def test_build_holds_the_scripts_beside_the_packages_that_they_import(packages: tuple[Path, Path]) -> None:
    archive = job_source.build(*packages)

    assert [member.name for member in members(archive)] == [
        "baseline.py",
        "evaluate.py",
        "examine.py",
        "fraud/__init__.py",
        "fraud/drift.py",
        "fraud/entities.py",
        "fraud/features.py",
        "fraud/windows.py",
        "model/__init__.py",
        "model/baseline.py",
        "model/evaluate.py",
        "model/examine.py",
        "model/monitor.py",
        "model/params.json",
        "model/report.html",
        "model/train.py",
        "monitor.py",
        "train.py",
    ]
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        content = tar.extractfile("fraud/windows.py")
        assert content is not None and content.read() == b"windows.py"


def test_build_of_the_same_content_is_the_same_bytes(
    packages: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = job_source.build(*packages)
    for path in packages[0].parent.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700)
    monkeypatch.setattr("time.time", lambda: 1e9)

    assert job_source.build(*packages) == first


@pytest.mark.parametrize("changed", ["model/report.html", "model/train.py", "fraud/windows.py"])
def test_build_of_other_content_is_other_bytes(packages: tuple[Path, Path], changed: str) -> None:
    first = job_source.build(*packages)
    (packages[0].parent / changed).write_text("changed")

    assert job_source.build(*packages) != first


@pytest.mark.parametrize("missing", ["model/examine.py", "fraud/windows.py"])
def test_build_without_what_the_jobs_run_is_refused(packages: tuple[Path, Path], missing: str) -> None:
    (packages[0].parent / missing).unlink()

    with pytest.raises(FileNotFoundError, match=missing):
        job_source.build(*packages)


def test_pack_says_nothing_of_whoever_packed() -> None:
    archive = job_source.pack({"b": b"two", "a": b"one"})

    assert [(member.name, member.size) for member in members(archive)] == [("a", 3), ("b", 3)]
    for member in members(archive):
        assert (member.uid, member.gid, member.uname, member.gname) == (0, 0, "", "")
        assert (member.mode, member.mtime) == (0o644, 0)
    assert archive == job_source.pack({"a": b"one", "b": b"two"})
    assert gzip.decompress(archive)


def test_build_of_the_project_is_small_and_holds_only_what_jobs_read() -> None:
    archive = job_source.build(MODEL, CORE)
    names = {member.name for member in members(archive)}

    assert len(archive) < LARGEST
    assert {Path(name).suffix for name in names} <= {".py", ".json", ".html"}
    assert {name.rpartition("/")[0] for name in names} == {"", "model", "fraud"}
    assert {f"model/{path.name}" for path in MODEL.glob("*.py")} <= names
