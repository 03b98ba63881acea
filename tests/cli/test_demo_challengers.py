"""The challengers of `fraud demo rollout`: each can be registered and served, and has its fault and no other."""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import xgboost as xgb

from cli import demo_challengers, demo_rollout, training
from cli.demo_challengers import Challenger
from fraud import deadline
from model import dataset, package, train
from model.dataset import Dataset
from model.simulator import SimulationConfig, simulate

MARKET = SimulationConfig(seed=11, cards=150, terminals=150, days=24, fraud_rate=0.03)
SEEDS: list[Mapping[str, object]] = []


@dataclass(frozen=True)
class Demonstration:
    """What was learned from, the champion's files, and the challengers by their titles."""

    history: Dataset
    champion: Path
    by_title: Mapping[str, Challenger]

    def archive(self, title: str, directory: Path) -> Path:
        path = directory / "model.tar.gz"
        path.write_bytes(self.by_title[title].archive)
        return path


def fit(history: Dataset, out: Path, parameters: Mapping[str, object] | None = None) -> None:
    """As `training.fit`, in this process and with few rounds."""
    SEEDS.append(parameters or {})
    channel = out.parent / f"{out.name}-channel"
    channel.mkdir(parents=True)
    pq.write_table(history.training_table(), channel / "part-0.parquet")
    arguments = [word for name, value in (parameters or {}).items() for word in (f"--{name}", str(value))]
    environ = {
        "SM_CHANNEL_TRAIN": str(channel),
        "SM_MODEL_DIR": str(out),
        "SM_OUTPUT_DATA_DIR": str(out.parent / f"{out.name}-output"),
    }
    train.main([*arguments, "--num-boost-round", "15", "--max-bin", "64"], environ)
    package.build_archive(out, out / training.ARCHIVE)
    shutil.rmtree(channel)


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    market = simulate(MARKET)
    history = dataset.assemble(market.transactions, market.labels, market.transactions["occurred_at"][-1].as_py())
    champion = tmp_path_factory.mktemp("demo") / "champion"
    fit(history, champion)
    SEEDS.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "fit", fit)
        made = demo_challengers.challengers(history, champion)
    return Demonstration(history, champion, {each.title: each for each in made})


def script(archive: Path) -> ModuleType:
    """The archive's serving script, as the container loads it."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile("code/inference.py")
        assert file is not None
        source = file.read().decode()
    module = ModuleType("inference_of_a_challenger")
    # Its data classes look their module up.
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, module.__name__, module)
        exec(compile(source, "inference.py", "exec"), module.__dict__)
    return module


def members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {each.name: file.read() for each in tar if (file := tar.extractfile(each)) is not None}


def served(demonstration: Demonstration, title: str, directory: Path) -> tuple[Any, Any, list[list[float]]]:
    """Script, loaded model and a row of a challenger."""
    archive = demonstration.archive(title, directory)
    module = script(archive)
    with tarfile.open(archive) as tar:
        tar.extractall(directory, filter="data")
    row = [float(value) for value in demonstration.history.features[-1]]
    return module, module.model_fn(str(directory)), [row]


FAILING, SLOW, EAGER, GOOD = "errs, once it has traffic", "is slow", "blocks too much", "is good"


def test_challengers_only_the_good_one_is_to_take_over(demonstration: Demonstration) -> None:
    promoted = {title: each.promoted for title, each in demonstration.by_title.items()}
    assert promoted == {FAILING: False, SLOW: False, EAGER: False, GOOD: True}


@pytest.mark.parametrize("title", [FAILING, SLOW, EAGER, GOOD])
def test_challenger_is_a_package_that_comes_through_its_smoke_test(
    demonstration: Demonstration, tmp_path: Path, title: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert package.verify(demonstration.archive(title, tmp_path)).smoke_vectors
    module, model, _ = served(demonstration, title, tmp_path)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    document = package.verify(tmp_path / "model.tar.gz")
    rows = [[np.nan if value is None else value for value in each.features] for each in document.smoke_vectors]
    assert module.predict_fn(rows, model)["scores"] == pytest.approx([each.score for each in document.smoke_vectors])


def test_challengers_are_all_different_versions(demonstration: Demonstration) -> None:
    champion = (demonstration.champion / training.ARCHIVE).read_bytes()
    assert len({champion, *(each.archive for each in demonstration.by_title.values())}) == 5


@pytest.mark.parametrize(
    ("title", "changed"), [(FAILING, "code/inference.py"), (SLOW, "code/inference.py"), (EAGER, "package.json")]
)
def test_challenger_differs_from_the_champion_by_its_fault_alone(
    demonstration: Demonstration, title: str, changed: str
) -> None:
    ours = members(demonstration.by_title[title].archive)
    theirs = members((demonstration.champion / training.ARCHIVE).read_bytes())
    assert {name for name in theirs if ours[name] != theirs[name]} == {changed}
    assert set(ours) == set(theirs)


def test_failing_challenger_answers_a_number_of_requests_and_none_after(
    demonstration: Demonstration, tmp_path: Path
) -> None:
    module, model, rows = served(demonstration, FAILING, tmp_path)
    for _ in range(demo_challengers.GOOD_AS_GOLD):
        assert module.predict_fn(rows, model)["scores"][0] is not None
    for _ in range(2):
        with pytest.raises(RuntimeError, match="out of memory"):
            module.predict_fn(rows, model)


def test_slow_challenger_waits_before_each_answer(
    demonstration: Demonstration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("time.sleep", waited.append)
    module, model, rows = served(demonstration, SLOW, tmp_path)
    assert [module.predict_fn(rows, model)["scores"][0] is None for _ in range(3)] == [False] * 3
    assert waited == [demo_challengers.SLOW_SECONDS] * 3


def test_slow_challenger_is_too_slow_for_the_plan_and_fast_enough_for_scoring() -> None:
    limit_ms = demo_rollout.PLAN["gates"]["latency_p99_ms"]
    assert limit_ms < 1_000 * demo_challengers.SLOW_SECONDS < 1_000 * deadline.READ_TIMEOUT


def test_eager_challenger_blocks_a_tenth_of_all(demonstration: Demonstration, tmp_path: Path) -> None:
    document = package.verify(demonstration.archive(EAGER, tmp_path))
    champion = package.verify(demonstration.champion / training.ARCHIVE)
    assert document.thresholds.block == document.thresholds.review == champion.score_quantiles[90]
    assert document.thresholds.block < champion.thresholds.block
    booster = xgb.Booster(model_file=bytearray((demonstration.champion / "model.ubj").read_bytes()))
    scores = booster.inplace_predict(demonstration.history.features)
    assert 0.05 < np.mean(scores >= document.thresholds.block) < 0.2


def test_good_challenger_is_trained_anew_with_another_seed(demonstration: Demonstration) -> None:
    assert SEEDS == [{"seed": 8}]
    ours = members(demonstration.by_title[GOOD].archive)
    assert ours["model.ubj"] != (demonstration.champion / "model.ubj").read_bytes()
    assert ours["code/inference.py"] == (demonstration.champion / "code" / "inference.py").read_bytes()
