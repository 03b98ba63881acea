"""A small market, a data set of it and a package trained on it, made once; and a model small enough to reason about."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import xgboost as xgb

from model import dataset, train
from model.dataset import Dataset
from model.simulator import Simulation, SimulationConfig, simulate

MARKET = SimulationConfig(seed=11, cards=450, terminals=500, days=40, fraud_rate=0.02)
CUT = MARKET.start + timedelta(days=32)
NAMES = ("amount", "count", "age")


@dataclass(frozen=True)
class Trained:
    """A training job's directories after it ended."""

    model_dir: Path
    output_dir: Path


@pytest.fixture(scope="session")
def market() -> Simulation:
    return simulate(MARKET)


@pytest.fixture(scope="session")
def history(market: Simulation) -> Dataset:
    before, _ = market.cut(CUT)
    return dataset.assemble(before.transactions, before.labels, CUT)


@pytest.fixture(scope="session")
def trained(history: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    base = tmp_path_factory.mktemp("job")
    (base / "train").mkdir()
    pq.write_table(history.training_table(), base / "train" / "part-0.parquet")
    environ = {
        "SM_CHANNEL_TRAIN": str(base / "train"),
        "SM_MODEL_DIR": str(base / "model"),
        "SM_OUTPUT_DATA_DIR": str(base / "output"),
        "SM_NUM_CPUS": "1",
    }
    train.main(["--eta", "0.1", "--num-boost-round", "120", "--max-bin", "256"], environ)
    return Trained(base / "model", base / "output")


@pytest.fixture(scope="session")
def small_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of three features in which a large amount is fraud; its review threshold is one half."""
    directory = tmp_path_factory.mktemp("small")
    rng = np.random.default_rng(3)
    rows = rng.uniform(0, 100, (400, len(NAMES))).astype(np.float32)
    data = xgb.DMatrix(rows, rows[:, 0] > 70, feature_names=list(NAMES))
    booster = xgb.train({"objective": "binary:logistic", "max_depth": 3, "nthread": 1}, data, 10)
    booster.save_model(directory / "model.ubj")
    digest = hashlib.sha256((directory / "model.ubj").read_bytes()).hexdigest()
    document = {"model_sha256": digest, "contract": {"names": NAMES}, "thresholds": {"review": 0.5, "block": 0.9}}
    (directory / "package.json").write_text(json.dumps(document))
    return directory
