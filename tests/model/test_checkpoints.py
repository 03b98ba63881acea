"""Training that may be interrupted: it goes on from the newest checkpoint that is its own and whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb

from model import boosting, checkpoints, metrics, train
from model.checkpoints import Checkpoints, Progress
from model.train import Rows

NAMES = ("transaction_amount", "card_count_1h", "card_count_1d")
OWN = "0123abcd"
NOTHING_RANDOM: Mapping[str, Any] = {"subsample": 1.0, "colsample_bytree": 1.0}


class Interrupted(Exception):
    """The machine was taken away."""


class UntilRound(Checkpoints):
    """The machine is taken away just after the checkpoint of a round."""

    def __init__(self, directory: Path, fingerprint: str, last: int) -> None:
        super().__init__(directory, fingerprint)
        self._last = last

    def write(self, progress: Progress) -> None:
        super().write(progress)
        if progress.rounds == self._last:
            raise Interrupted


@pytest.fixture(scope="module")
def parts() -> tuple[Rows, Rows]:
    """Frauds are large and frequent, but not all of them."""
    rng = np.random.default_rng(5)
    values = rng.uniform(0, 1, (3_000, len(NAMES))).astype(np.float32)
    is_fraud = rng.uniform(0, 1, len(values)) < 0.4 * values[:, 0] ** 4 * (1 + values[:, 1])
    return train.cut(Rows(NAMES, values, is_fraud, np.arange(len(values))), 0.25)


def parameters(**different: object) -> dict[str, Any]:
    return {**boosting.chosen(), "max_bin": 64, "num_boost_round": 120, "early_stopping_rounds": 60, **different}


def fit(parts: tuple[Rows, Rows], chosen: Mapping[str, Any], saved: Checkpoints | None = None) -> xgb.Booster:
    return train.fit(*parts, chosen, 1, saved)


def interrupt(parts: tuple[Rows, Rows], chosen: Mapping[str, Any], directory: Path, last: int) -> None:
    with pytest.raises(Interrupted):
        fit(parts, chosen, UntilRound(directory, OWN, last))


def raw(booster: xgb.Booster) -> bytes:
    return bytes(booster.save_raw("ubj"))


def quality(booster: xgb.Booster, validation: Rows) -> float:
    ranking = metrics.rank(validation.is_fraud, boosting.score(booster, validation.features))
    return metrics.average_precision(ranking)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def written(directory: Path, *rounds: int, fingerprint: str = OWN) -> Checkpoints:
    saved = Checkpoints(directory, fingerprint)
    for each in rounds:
        saved.write(Progress(each, b"a model", {"aucpr": [0.5] * each}))
    return saved


def test_training_that_nothing_interrupts_is_the_same_with_checkpoints(
    parts: tuple[Rows, Rows], tmp_path: Path
) -> None:
    with_checkpoints = fit(parts, parameters(), Checkpoints(tmp_path, OWN))

    assert names(tmp_path)
    assert raw(with_checkpoints) == raw(fit(parts, parameters()))


def test_training_interrupted_goes_on_at_its_newest_checkpoint_and_ends_about_as_good(
    parts: tuple[Rows, Rows], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(parts, parameters(), tmp_path, 50)
    capsys.readouterr()

    resumed = fit(parts, parameters(), Checkpoints(tmp_path, OWN))

    log = capsys.readouterr().out
    assert "resumed at round 50" in log
    assert "[0]" not in log  # it did not begin anew, nor does its log say so
    assert quality(resumed, parts[1]) == pytest.approx(quality(fit(parts, parameters()), parts[1]), abs=0.03)


def test_training_interrupted_draws_other_rows_than_its_first_trees_did(
    parts: tuple[Rows, Rows], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The state of XGBoost's random numbers is lost; with the same seed every draw would be repeated."""
    seeds: list[int] = []
    boost = xgb.train

    def watched(given: dict[str, Any], *arguments: Any, **named: Any) -> xgb.Booster:
        seeds.append(given["seed"])
        return boost(given, *arguments, **named)

    monkeypatch.setattr(xgb, "train", watched)
    interrupt(parts, parameters(seed=7), tmp_path, 50)

    fit(parts, parameters(seed=7), Checkpoints(tmp_path, OWN))

    assert seeds == [7, 57]


@pytest.mark.parametrize("last", [25, 50, 100])
def test_training_interrupted_stops_by_the_whole_curve(parts: tuple[Rows, Rows], tmp_path: Path, last: int) -> None:
    """Where nothing is drawn at random, an interruption changes nothing at all."""
    chosen = parameters(**NOTHING_RANDOM)
    whole = fit(parts, chosen)
    best = whole.num_boosted_rounds()
    assert 25 < best < 50  # interruptions come before and after the best round, …
    assert 100 < best + chosen["early_stopping_rounds"] < chosen["num_boost_round"]  # … and it stops early, after them
    interrupt(parts, chosen, tmp_path, last)

    assert raw(fit(parts, chosen, Checkpoints(tmp_path, OWN))) == raw(whole)


def test_training_interrupted_twice_keeps_the_whole_curve(parts: tuple[Rows, Rows], tmp_path: Path) -> None:
    chosen = parameters(**NOTHING_RANDOM)
    interrupt(parts, chosen, tmp_path, 25)
    interrupt(parts, chosen, tmp_path, 50)

    progress = Checkpoints(tmp_path, OWN).newest()

    assert progress is not None
    assert progress.rounds == len(progress.curve["aucpr"]) == 50
    assert raw(fit(parts, chosen, Checkpoints(tmp_path, OWN))) == raw(fit(parts, chosen))


def test_training_interrupted_after_its_last_round_boosts_no_further(
    parts: tuple[Rows, Rows], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = parameters(num_boost_round=50)
    interrupt(parts, chosen, tmp_path, 50)

    assert raw(fit(parts, chosen, Checkpoints(tmp_path, OWN))) == raw(fit(parts, chosen))
    assert "resumed at round 50" in capsys.readouterr().out


@pytest.mark.parametrize("other", ["parameters", "names", "rows", "outcomes"])
def test_fingerprint_of_anything_else_is_another(other: str) -> None:
    values, outcomes = np.eye(3, dtype=np.float32), np.array([True, False, True])
    told = {"parameters": {"eta": 0.1}, "names": list(NAMES), "rows": values, "outcomes": outcomes}
    differs = {"parameters": {"eta": 0.2}, "names": NAMES[::-1], "rows": values * 2, "outcomes": ~outcomes}

    def digest(given: Mapping[str, Any]) -> str:
        return checkpoints.fingerprint(given["parameters"], given["names"], given["rows"], given["outcomes"])

    assert digest(told) == digest({**told, "rows": values.copy()})
    assert digest(told) != digest({**told, other: differs[other]})


def test_checkpoint_of_another_training_is_neither_used_nor_removed(tmp_path: Path) -> None:
    written(tmp_path, 150, 175, fingerprint="another")
    saved = Checkpoints(tmp_path, OWN)
    assert saved.newest() is None

    written(tmp_path, 25)

    newest = saved.newest()
    assert newest is not None and newest.rounds == 25
    assert names(tmp_path) == [f"{OWN}-000025.zip", "another-000150.zip", "another-000175.zip"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content.replace(b"a model", b"a medal"),
        lambda content: content.replace(b"model.ubj", b"other.ubj"),
        lambda content: b"",
    ],
    ids=["half", "cut", "changed", "other file", "empty"],
)
def test_checkpoint_that_is_damaged_is_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Any
) -> None:
    saved = written(tmp_path, 25, 50)
    newest = tmp_path / f"{OWN}-000050.zip"
    newest.write_bytes(damage(newest.read_bytes()))

    progress = saved.newest()

    assert progress == Progress(25, b"a model", {"aucpr": [0.5] * 25})
    assert f"{newest.name} is damaged" in capsys.readouterr().out


def test_checkpoint_that_was_never_finished_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise Interrupted

    saved = written(tmp_path, 25)
    monkeypatch.setattr(Path, "replace", interrupted)

    with pytest.raises(Interrupted):
        written(tmp_path, 50)

    newest = saved.newest()
    assert newest is not None and newest.rounds == 25
    # The platform copies no file of such a name away.
    assert names(tmp_path) == [f"{OWN}-000025.zip", f"{OWN}-000050.zip.sagemaker-ignore"]


def test_checkpoints_beyond_the_newest_two_are_removed(tmp_path: Path) -> None:
    written(tmp_path, 25, 50, 75, 1000)

    assert names(tmp_path) == [f"{OWN}-000075.zip", f"{OWN}-001000.zip"]


def test_checkpoint_on_its_way_to_s3_is_removed_once_it_has_arrived(tmp_path: Path) -> None:
    old = f"{OWN}-000025.zip"
    written(tmp_path, 25)
    (tmp_path / f"{old}.sagemaker-uploading").touch()

    written(tmp_path, 50, 75)
    assert old in names(tmp_path)

    (tmp_path / f"{old}.sagemaker-uploaded").touch()
    written(tmp_path, 100)
    assert old not in names(tmp_path)


def test_training_that_ended_has_no_checkpoint_to_go_on_from_beyond_its_end(
    parts: tuple[Rows, Rows], tmp_path: Path
) -> None:
    chosen = parameters(**NOTHING_RANDOM)
    best = fit(parts, chosen).num_boosted_rounds()
    ends_at_100 = parameters(**NOTHING_RANDOM, early_stopping_rounds=100 - best)
    saved = Checkpoints(tmp_path, OWN)

    ended = fit(parts, ends_at_100, saved)

    newest = saved.newest()
    assert newest is not None and newest.rounds == 75
    assert raw(fit(parts, ends_at_100, saved)) == raw(ended)
