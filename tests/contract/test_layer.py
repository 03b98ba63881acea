"""What the jobs run: the model's code from a layer, and the very code that serves."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from fraud import features
from fraud.aws.layer import LayerSource

FILES = {
    "train.py": "train",
    "examine.py": "examine",
    "evaluate.py": "evaluate",
    "baseline.py": "baseline",
    "monitor.py": "monitor",
    "capture_preprocessor.py": "preprocess",
    "params.json": "{}",
    "report.html": "<p>",
    "notes.txt": "none of it",
    "sql/training_set.sql": "SELECT 'é' FROM decisions WHERE dt >= '$first_day'",
    "sql/monitored_window.sql": "SELECT 1",
}


@pytest.fixture
def source(tmp_path: Path) -> LayerSource:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return LayerSource(tmp_path)


def packed(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        members = ((member.name, tar.extractfile(member)) for member in tar.getmembers())
        return {name: content.read() for name, content in members if content is not None}


def test_archive_holds_the_scripts_beside_the_packages_that_they_import(source: LayerSource) -> None:
    found = packed(source.archive())
    assert sorted(found) == [
        "baseline.py",
        "evaluate.py",
        "examine.py",
        "fraud/__init__.py",
        "fraud/drift.py",
        "fraud/entities.py",
        "fraud/features.py",
        "fraud/windows.py",
        "model/baseline.py",
        "model/capture_preprocessor.py",
        "model/evaluate.py",
        "model/examine.py",
        "model/monitor.py",
        "model/params.json",
        "model/report.html",
        "model/train.py",
        "monitor.py",
        "train.py",
    ]
    assert found["train.py"] == found["model/train.py"] == b"train"
    assert found["fraud/features.py"] == Path(features.__file__).read_bytes()


def test_archive_of_the_same_code_is_the_same_bytes(source: LayerSource) -> None:
    first = source.archive()
    (source.model / "train.py").touch()
    assert source.archive() == first
    (source.model / "train.py").write_text("trained", encoding="utf-8")
    assert source.archive() != first


@pytest.mark.parametrize("name", ["training_set", "monitored_window"])
def test_query_is_the_layers_own(source: LayerSource, name: str) -> None:
    assert source.query(name) == FILES[f"sql/{name}.sql"]
