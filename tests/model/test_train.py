"""The training job as the container launches it, and what its package promises."""

from __future__ import annotations

import ast
import json
import os
import runpy
import subprocess
import sys
import tarfile
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score

from fraud import features
from model import dataset, inference, package, train
from model.dataset import Dataset
from model.simulator import Simulation, SimulationConfig, simulate
from model.train import Rows
from tests.model.conftest import CUT, MARKET, Trained


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, unpacked as the container does."""
    directory = tmp_path_factory.mktemp("code")
    package.build_source(directory / "sourcedir.tar.gz")
    with tarfile.open(directory / "sourcedir.tar.gz") as tar:
        tar.extractall(directory, filter="data")
    return directory


@pytest.fixture(scope="module")
def five_thousand() -> pa.Table:
    config = SimulationConfig(seed=21, cards=90, terminals=110, days=36, fraud_rate=0.03)
    market = simulate(config)
    return dataset.assemble(market.transactions, market.labels, config.start + timedelta(days=50)).training_table()


def launch(source: Path, base: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {
        "PATH": os.environ["PATH"],
        "SM_CHANNEL_TRAIN": str(base / "train"),
        "SM_MODEL_DIR": str(base / "model"),
        "SM_OUTPUT_DATA_DIR": str(base / "output"),
        "SM_NUM_CPUS": "1",
    }
    command = [sys.executable, "-m", "train", *arguments]
    return subprocess.run(command, cwd=source, env=environ, capture_output=True, text=True, timeout=60, check=False)


def channel(base: Path, table: pa.Table, parts: int = 1) -> Path:
    (base / "train").mkdir(parents=True)
    for i in range(parts):
        pq.write_table(table.take(list(range(i, table.num_rows, parts))), base / "train" / f"part-{i}.parquet")
    return base


def test_train_as_the_container_launches_it_leaves_a_package_that_can_be_served(
    source: Path, five_thousand: pa.Table, tmp_path: Path
) -> None:
    assert 4_000 < five_thousand.num_rows < 7_000
    channel(tmp_path, five_thousand)

    job = launch(source, tmp_path, "--eta", "0.1", "--max-depth", "4", "--num_boost_round", "60")

    assert job.returncode == 0, job.stderr
    document = package.build_archive(tmp_path / "model", tmp_path / "model.tar.gz")
    assert document.contract.names == features.NAMES
    assert document.training["parameters"]["max_depth"] == 4
    assert "validation:average_precision=" in job.stdout
    assert json.loads((tmp_path / "output" / "metrics.json").read_text())["average_precision"] > 0


def test_train_same_rows_in_any_files_give_the_same_package(
    source: Path, five_thousand: pa.Table, tmp_path: Path
) -> None:
    arguments = ("--num-boost-round", "20")
    # Many rows share a moment: their order must not depend on the file they lie in.
    hour = pa.array(five_thousand["occurred_at"].to_numpy() // 3600 * 3600)
    table = five_thousand.set_column(five_thousand.schema.get_field_index("occurred_at"), "occurred_at", hour)
    for base, parts in ((tmp_path / "one", 1), (tmp_path / "three", 3)):
        assert launch(source, channel(base, table, parts), *arguments).returncode == 0

    written = [(tmp_path / name / "model" / "model.ubj").read_bytes() for name in ("one", "three")]
    assert written[0] == written[1]


def test_train_unknown_hyperparameter_is_refused(source: Path, tmp_path: Path) -> None:
    job = launch(source, tmp_path, "--max-dept", "4")

    assert job.returncode != 0
    assert "--max-dept" in job.stderr


def test_inference_script_imports_nothing_of_the_project() -> None:
    tree = ast.parse(Path(inference.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert not {name.partition(".")[0] for name in imported} & {"fraud", "model"}


def test_read_csv_and_parquet_are_the_same(five_thousand: pa.Table, tmp_path: Path) -> None:
    pq.write_table(five_thousand, channel(tmp_path / "a", five_thousand) / "train" / "part-0.parquet")
    (tmp_path / "b").mkdir()
    pa.csv.write_csv(five_thousand, tmp_path / "b" / "part-0.csv")

    parquet, csv = train.read(tmp_path / "a"), train.read(tmp_path / "b")
    np.testing.assert_allclose(csv.features, parquet.features, rtol=1e-6)
    np.testing.assert_array_equal(csv.is_fraud, parquet.is_fraud)


def test_read_takes_the_features_it_finds_in_the_order_of_the_table(five_thousand: pa.Table, tmp_path: Path) -> None:
    some = ["card_count_1h", "transaction_amount"]
    pq.write_table(five_thousand.select([*some, "is_fraud", "occurred_at"]), tmp_path / "part.parquet")

    assert train.read(tmp_path).names == ("transaction_amount", "card_count_1h")


def test_read_ignores_what_is_not_learned_from(five_thousand: pa.Table, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "plain").mkdir()
    tokens = pa.array([f"card-{i % 7}" for i in range(five_thousand.num_rows)])
    pq.write_table(five_thousand.append_column("card_token", tokens), tmp_path / "more" / "part-0.parquet")
    pq.write_table(five_thousand, tmp_path / "plain" / "part-0.parquet")

    more, plain = train.read(tmp_path / "more"), train.read(tmp_path / "plain")
    assert more.names == plain.names == features.NAMES
    np.testing.assert_array_equal(more.features, plain.features)


@pytest.mark.parametrize("column", ["is_fraud", "occurred_at"])
def test_read_without_a_needed_column_is_refused(five_thousand: pa.Table, tmp_path: Path, column: str) -> None:
    pq.write_table(five_thousand.drop_columns([column]), tmp_path / "part.parquet")

    with pytest.raises(ValueError, match=column):
        train.read(tmp_path)


def rows(is_fraud: list[bool], occurred_at: list[int]) -> Rows:
    values = np.zeros((len(is_fraud), 1), dtype=np.float32)
    return Rows(("transaction_amount",), values, np.array(is_fraud), np.array(occurred_at))


def test_cut_validates_on_the_newest_rows() -> None:
    learning, validation = train.cut(rows([True, False] * 10, list(range(20))), 0.25)

    assert learning.occurred_at.max() < validation.occurred_at.min()
    assert len(validation) == 5


def test_cut_keeps_one_moment_on_one_side() -> None:
    learning, validation = train.cut(rows([True, False] * 10, [0] * 10 + [1] * 10), 0.25)

    assert set(learning.occurred_at) == {0}
    assert set(validation.occurred_at) == {1}


@pytest.mark.parametrize(
    ("is_fraud", "words"),
    [
        ([True] + [False] * 19, "the newest 5 rows hold no fraud, and both .* ask for more training_days, wait for"),
        ([False] * 19 + [True], "the older 15 rows hold no fraud, "),
        ([True] * 19 + [False], "the older 15 rows hold no genuine transaction, "),
        ([False] + [True] * 19, "the newest 5 rows hold no genuine transaction, "),
    ],
)
def test_cut_without_both_kinds_on_both_sides_is_refused_in_a_sentence_that_says_what_to_do(
    is_fraud: list[bool], words: str
) -> None:
    with pytest.raises(train.UnusableRows, match=words):
        train.cut(rows(is_fraud, list(range(20))), 0.25)


def test_script_ends_with_one_line_about_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_CHANNEL_TRAIN", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["train"])
    with pytest.raises(SystemExit, match=r"^train: .* holds no Parquet or CSV file$"):
        runpy.run_path(train.__file__, run_name="__main__")


def test_package_thresholds_are_what_the_metrics_say(trained: Trained) -> None:
    document = json.loads((trained.model_dir / "package.json").read_text())
    metrics = document["training"]["metrics"]

    assert metrics["review_share"] <= 0.01
    assert metrics["block_precision"] >= 0.9
    assert metrics["alert_recall"] > metrics["block_recall"] > 0
    assert 0 < document["thresholds"]["review"] < document["thresholds"]["block"] <= 1


def test_package_baseline_counts_every_row(trained: Trained, history: Dataset) -> None:
    document = json.loads((trained.model_dir / "package.json").read_text())

    for histogram in document["baseline"].values():
        assert sum(histogram["counts"]) + histogram["missing"] == history.mature.sum()


def test_package_scores_are_those_that_the_model_was_measured_with(trained: Trained) -> None:
    document = json.loads((trained.model_dir / "package.json").read_text())
    scores = pq.read_table(trained.output_dir / "validation.parquet")["score"].to_numpy()

    found = document["scores"]
    assert sum(found["counts"]) == len(scores) == document["training"]["validation_rows"]
    assert found["counts"][-1] == (scores > found["edges"][-1]).sum()
    assert found["missing"] == 0 and found["design_effect"] >= 1


def test_model_beats_what_one_column_can_do_on_days_it_never_saw(market: Simulation, trained: Trained) -> None:
    """Trained on what was known at the cut; the following days are scored with labels as they arrive."""
    everything = dataset.assemble(market.transactions, market.labels, MARKET.start + timedelta(days=MARKET.days + 8))
    later = everything.occurred_at >= CUT.timestamp()
    rows, truth = everything.features[later], everything.target[later]
    scores = inference.model_fn(str(trained.model_dir)).booster.inplace_predict(rows)

    best = max(average_precision_score(truth, np.nan_to_num(sign * column)) for column in rows.T for sign in (1, -1))
    assert average_precision_score(truth, scores) > 1.3 * best
    assert average_precision_score(truth, scores) > 0.4
