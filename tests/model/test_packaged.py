"""Packages as the evaluation loads them: they score as they serve, or say what is wrong."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from model import inference, packaged
from model.packaged import UnusablePackage
from tests.model.conftest import Trained

Change = Callable[[dict[str, Any]], object]


def archive_of(model_dir: Path, to: Path, change: Change = lambda _: None) -> Path:
    """The package, its document changed; names begin with `./`, as the training platform writes them."""
    shutil.copytree(model_dir, to / "model")
    path = to / "model" / "package.json"
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    with tarfile.open(to / "model.tar.gz", "w:gz") as tar:
        tar.add(to / "model", arcname=".")
    return to / "model.tar.gz"


@pytest.fixture
def table(trained: Trained) -> pa.Table:
    return pq.read_table(trained.model_dir.parent / "train" / "part-0.parquet").slice(0, 200)


def test_package_scores_rows_as_its_endpoint_would(trained: Trained, table: pa.Table, tmp_path: Path) -> None:
    package = packaged.load(archive_of(trained.model_dir, tmp_path), "champion")
    columns = [table[name].to_pylist() for name in package.model.names]
    lines = (",".join("" if value is None else repr(value) for value in row) for row in zip(*columns, strict=True))
    served = inference.predict_fn(inference.input_fn("\n".join(lines), "text/csv"), package.model)["scores"]

    assert package.score(table).tolist() == served


def test_package_reads_features_by_name_wherever_they_stand(trained: Trained, table: pa.Table, tmp_path: Path) -> None:
    package = packaged.load(archive_of(trained.model_dir, tmp_path), "champion")
    turned = table.select(table.column_names[::-1])

    assert package.score(turned).tolist() == package.score(table).tolist()


def test_package_that_needs_a_feature_the_rows_lack_names_it(trained: Trained, table: pa.Table, tmp_path: Path) -> None:
    package = packaged.load(archive_of(trained.model_dir, tmp_path), "champion")

    with pytest.raises(UnusablePackage, match="champion needs features that the rows lack: card_count_1h"):
        package.score(table.drop_columns("card_count_1h"))


def test_package_whose_features_meant_something_else_is_not_measured(
    trained: Trained, table: pa.Table, tmp_path: Path
) -> None:
    def meant_otherwise(document: dict[str, Any]) -> None:
        document["contract"]["hash"] = "0" * 16

    package = packaged.load(archive_of(trained.model_dir, tmp_path, meant_otherwise), "champion")
    with pytest.raises(UnusablePackage, match="means other features"):
        package.score(table)


@pytest.mark.parametrize("lost", ["thresholds", "contract", "training", "model_sha256"])
def test_package_whose_document_lacks_a_part_is_named(trained: Trained, tmp_path: Path, lost: str) -> None:
    archive = archive_of(trained.model_dir, tmp_path, lambda document: document.pop(lost))

    with pytest.raises(UnusablePackage, match=rf"candidate's package model\.tar\.gz lacks '{lost}'"):
        packaged.load(archive, "candidate")


def test_package_with_another_model_file_is_refused(trained: Trained, tmp_path: Path) -> None:
    archive = archive_of(trained.model_dir, tmp_path, lambda document: document.update(model_sha256="0" * 64))

    with pytest.raises(UnusablePackage, match=r"not the file that package\.json describes"):
        packaged.load(archive, "candidate")


def test_package_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusablePackage, match="champion"):
        packaged.load(tmp_path / "model.tar.gz", "champion")
