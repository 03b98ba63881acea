"""Archives: the same content gives the same bytes, and what could not be served is refused before any traffic."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fraud.errors import InvalidPackage
from model import package
from tests.model.conftest import Trained

Spoil = Callable[[dict[str, Any]], object]


@pytest.fixture
def model_dir(trained: Trained, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.model_dir, tmp_path / "model"))


def spoil(model_dir: Path, change: Spoil) -> None:
    path = model_dir / "package.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_build_archive_has_the_layout_the_container_serves(model_dir: Path, tmp_path: Path) -> None:
    package.build_archive(model_dir, tmp_path / "model.tar.gz")

    with tarfile.open(tmp_path / "model.tar.gz") as tar:
        assert tar.getnames() == ["MODEL_CARD.md", "code/inference.py", "model.ubj", "package.json"]


@pytest.mark.parametrize("kind", ["model", "source"])
def test_archives_of_the_same_content_are_the_same_bytes(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    archives = [tmp_path / "first.tar.gz", tmp_path / "elsewhere" / "second.tar.gz"]
    for when, archive in enumerate(archives):
        os.utime(model_dir / "model.ubj", (when, when))
        monkeypatch.setattr("time.time", lambda now=1e9 + when: now)
        package.build_archive(model_dir, archive) if kind == "model" else package.build_source(archive)

    assert archives[0].read_bytes() == archives[1].read_bytes()


def test_verify_accepts_an_archive_of_the_training_platform(model_dir: Path, tmp_path: Path) -> None:
    # SageMaker packs the directory itself, with ./ before every name and with entries for directories.
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        tar.add(model_dir, arcname=".")

    assert package.verify(tmp_path / "model.tar.gz").schema_version == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema_version=2), "schema_version"),
        (lambda d: d.pop("baseline"), "baseline"),
        (lambda d: d["contract"].update(hash="0" * 16), "hash"),
        (lambda d: d["contract"]["names"].reverse(), "hash"),
        (lambda d: d["contract"]["names"].append("card_dreams"), "card_dreams"),
        (lambda d: d["contract"]["names"].append(d["contract"]["names"][0]), "twice"),
        (lambda d: d["contract"].pop("names"), "names"),
        (lambda d: d["thresholds"].update(review=0.9, block=0.1), "thresholds"),
        (lambda d: d["thresholds"].update(review="high"), "review"),
        (lambda d: d["score_quantiles"].pop(), "quantiles"),
        (lambda d: d["score_quantiles"].reverse(), "ascend"),
        (lambda d: d["baseline"].popitem(), "baseline"),
        (lambda d: d["baseline"]["transaction_amount"]["counts"].pop(), "counts for 9 edges"),
        (lambda d: d["baseline"]["transaction_hour"]["edges"].reverse(), "do not ascend"),
        (lambda d: d["scores"].update(design_effect=0.5), "design effect of the baseline of the scores"),
        (lambda d: d["smoke_vectors"].clear(), "smoke vectors"),
        (lambda d: d["smoke_vectors"][0]["features"].pop(), "features"),
        (lambda d: d["smoke_vectors"][-1].update(score=0.001), "smoke vector is scored"),
    ],
)
def test_build_archive_document_that_does_not_hold_is_refused(
    model_dir: Path, tmp_path: Path, change: Spoil, message: str
) -> None:
    spoil(model_dir, change)

    with pytest.raises(InvalidPackage, match=message):
        package.build_archive(model_dir, tmp_path / "model.tar.gz")


@pytest.mark.parametrize("name", ["model.ubj", "package.json", "code/inference.py"])
def test_build_archive_missing_file_is_refused(model_dir: Path, tmp_path: Path, name: str) -> None:
    (model_dir / name).unlink()

    with pytest.raises(InvalidPackage, match=name):
        package.build_archive(model_dir, tmp_path / "model.tar.gz")


def test_fault_38_corrupted_model_is_refused(model_dir: Path, tmp_path: Path) -> None:
    model = model_dir / "model.ubj"
    model.write_bytes(model.read_bytes()[:1000])

    with pytest.raises(InvalidPackage, match=r"model\.ubj is not"):
        package.build_archive(model_dir, tmp_path / "model.tar.gz")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"\x1f\x8b\x08\x00cut short"])
def test_fault_38_corrupted_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.tar.gz").write_bytes(content)

    with pytest.raises(InvalidPackage, match="artefact"):
        package.verify(tmp_path / "model.tar.gz")


def test_fault_38_truncated_archive_is_refused(model_dir: Path, tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    package.build_archive(model_dir, archive)
    archive.write_bytes(archive.read_bytes()[:-2000])

    with pytest.raises(InvalidPackage, match="artefact"):
        package.verify(archive)
