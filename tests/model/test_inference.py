"""The serving script under the container's contract: what goes in, what comes out, and never a wrong count."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st

from model import inference
from model.inference import Answer, Model
from tests.model.conftest import NAMES

few = settings(max_examples=30, deadline=None, derandomize=True)
FRAUD, GENUINE = "95.5,10,20", "5,10,20"
values = st.one_of(st.just(""), st.floats(0, 100, width=32).map(repr))
good_rows = st.lists(values, min_size=3, max_size=3).map(",".join).filter(lambda row: row != ",,")
any_line = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=20)


@pytest.fixture(scope="session")
def model(small_package: Path) -> Model:
    return inference.model_fn(str(small_package))


def ask(model: Model, body: str | bytes, content_type: str = "text/csv") -> Answer:
    text, mimetype = inference.output_fn(
        inference.predict_fn(inference.input_fn(body, content_type), model), "application/json"
    )
    assert mimetype == "application/json"
    answer: Answer = json.loads(text)
    return answer


def contributions(model: Model, rows: Sequence[str], *, approximate: bool) -> list[list[float]]:
    data = xgb.DMatrix([[float(v) for v in row.split(",")] for row in rows], feature_names=list(NAMES))
    explained = model.booster.predict(data, pred_contribs=True, approx_contribs=approximate)
    return [sorted((round(float(v), 4) for v in row[:-1] if v > 0), reverse=True) for row in explained]


def test_answer_scores_are_the_boosters_own(model: Model) -> None:
    rows = np.array([[95.5, 10, 20], [5, 10, 20]], dtype=np.float32)

    assert ask(model, f"{FRAUD}\n{GENUINE}")["scores"] == pytest.approx(model.booster.inplace_predict(rows), abs=1e-6)


@pytest.mark.parametrize("content_type", ["text/csv; charset=utf-8", "text/csv;header=absent", "TEXT/CSV"])
def test_answer_bytes_and_text_are_the_same(model: Model, content_type: str) -> None:
    # The container hands over bytes unless the content type is exactly text/csv.
    assert ask(model, f"{FRAUD}\n{GENUINE}".encode(), content_type) == ask(model, f"{FRAUD}\n{GENUINE}")


def test_answer_empty_field_is_a_missing_value(model: Model) -> None:
    missing = model.booster.inplace_predict(np.array([[95.5, np.nan, 20]], dtype=np.float32))

    assert ask(model, "95.5,,20")["scores"] == pytest.approx(missing, abs=1e-6)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_answer_final_newline_ends_the_last_row(model: Model, end: str) -> None:
    assert ask(model, f"{FRAUD}{end}{GENUINE}{end}") == ask(model, f"{FRAUD}\n{GENUINE}")


@pytest.mark.parametrize(
    "malformed",
    ["1,2", "1,2,3,4", "1,two,3", "", "1;2;3", "inf,2,3", "1e39,2,3", "1_0,2,3", "nul\x00,2,3", '"1",2,3', "1,2,3 4"],
)
def test_answer_malformed_row_costs_only_itself_its_score(model: Model, malformed: str) -> None:
    answer = ask(model, "\n".join([FRAUD, malformed, GENUINE]))
    without = ask(model, f"{FRAUD}\n{GENUINE}")

    assert answer["scores"] == [without["scores"][0], None, without["scores"][1]]
    assert answer["reasons"] == [without["reasons"][0], None, without["reasons"][1]]


def test_answer_bytes_that_are_not_text_cost_only_their_row(model: Model) -> None:
    answer = ask(model, FRAUD.encode() + b"\n\xff\xfe,2,3\n" + GENUINE.encode(), "text/csv; charset=utf-8")

    assert [score is None for score in answer["scores"]] == [False, True, False]


@few
@given(lines=st.lists(st.one_of(good_rows, any_line), min_size=1, max_size=12))
def test_answer_has_one_score_and_one_reason_per_row(model: Model, lines: list[str]) -> None:
    answer = ask(model, "\n".join([GENUINE, *lines, GENUINE]))

    assert len(answer["scores"]) == len(answer["reasons"]) == len(lines) + 2
    assert answer["scores"][0] == answer["scores"][-1] is not None


@few
@given(rows=st.lists(good_rows, min_size=1, max_size=12))
def test_answer_of_many_rows_is_that_of_each_alone(model: Model, rows: list[str]) -> None:
    together = ask(model, "\n".join(rows))

    assert together["scores"] == [ask(model, row)["scores"][0] for row in rows]


@pytest.mark.parametrize("body", ["", b"", "\n", "  \n", "\r\n"])
def test_input_fn_body_without_a_row_is_refused(body: str | bytes) -> None:
    with pytest.raises(ValueError, match="no row"):
        inference.input_fn(body, "text/csv")


def test_input_fn_body_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="rows"):
        inference.input_fn("\n".join(["1"] * (inference.MOST_ROWS + 1)), "text/csv")
    monkeypatch.setattr(inference, "LARGEST_BODY", 4)
    with pytest.raises(ValueError, match="bytes"):
        inference.input_fn("1,2,3", "text/csv")


@pytest.mark.parametrize("content_type", ["application/json", "text/csvx", ""])
def test_input_fn_other_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(ValueError, match="content type"):
        inference.input_fn("1,2,3", content_type)


def test_output_fn_other_format_is_refused() -> None:
    with pytest.raises(ValueError, match="text/csv"):
        inference.output_fn(Answer(scores=[], reasons=[]), "text/csv")


@pytest.mark.parametrize("accept", ["application/json", "*/*", "application/json; q=1"])
def test_output_fn_answers_json(accept: str) -> None:
    assert inference.output_fn(Answer(scores=[0.5], reasons=[None]), accept)[0] == '{"scores":[0.5],"reasons":[null]}'


def test_reasons_are_given_from_the_review_threshold_on(model: Model) -> None:
    answer = ask(model, f"{FRAUD}\n{GENUINE}")

    assert answer["scores"][0] >= model.review_threshold > answer["scores"][1]
    assert answer["reasons"][0][0][0] == "amount"
    assert answer["reasons"][1] is None


def test_reasons_threshold_itself_is_included(model: Model) -> None:
    score = ask(model, FRAUD)["scores"][0]

    assert ask(replace(model, review_threshold=score), FRAUD)["reasons"][0] is not None
    assert ask(replace(model, review_threshold=score + 1e-6), FRAUD)["reasons"][0] is None


def test_reasons_are_at_most_three_positive_and_descending(model: Model) -> None:
    everything = replace(model, review_threshold=0.0)
    rows = [f"{amount},{other},{other}" for amount in range(0, 100, 7) for other in (5, 50)]

    for reasons in ask(everything, "\n".join(rows))["reasons"]:
        found = [value for _, value in reasons]
        assert len(found) <= inference.REASONS
        assert all(value > 0 for value in found)
        assert found == sorted(found, reverse=True)


def ticking(seconds: float) -> Callable[[], float]:
    """A clock that moves on by so much whenever it is looked at."""
    ticks = count()
    return lambda: next(ticks) * seconds


def test_reasons_are_exact_within_the_budget(model: Model) -> None:
    rows = [f"{75 + i},{i * 7 % 100},{i * 13 % 100}" for i in range(20)]
    explained = replace(model, review_threshold=0.0, reasons_budget=1.0, clock=ticking(0.001))

    answer = ask(explained, "\n".join(rows))
    assert [[v for _, v in r] for r in answer["reasons"]] == contributions(model, rows, approximate=False)


def test_reasons_beyond_the_budget_are_approximate_and_still_there(model: Model) -> None:
    rows = [f"{75 + i},{i * 7 % 100},{i * 13 % 100}" for i in range(20)]
    # The clock is looked at once to set the deadline and once before each group: two groups fit.
    hurried = replace(model, review_threshold=0.0, reasons_budget=2.5, clock=ticking(1.0))

    found = [[v for _, v in r] for r in ask(hurried, "\n".join(rows))["reasons"]]
    exact, approximate = (contributions(model, rows, approximate=flag) for flag in (False, True))
    assert found == exact[:8] + approximate[8:]
    assert exact[8:] != approximate[8:]


def test_reasons_of_a_full_request_are_all_there_by_the_real_clock(model: Model) -> None:
    rows = [FRAUD if n % 3 else "unreadable" for n in range(inference.MOST_ROWS)]

    answer = ask(replace(model, review_threshold=0.0, reasons_budget=0.005), "\n".join(rows))
    assert [score is None for score in answer["scores"]] == [n % 3 == 0 for n in range(inference.MOST_ROWS)]
    assert [reasons is None for reasons in answer["reasons"]] == [n % 3 == 0 for n in range(inference.MOST_ROWS)]


def test_reasons_without_a_budget_are_all_approximate(model: Model) -> None:
    hurried = replace(model, reasons_budget=0.0, clock=ticking(1.0))

    assert [[v for _, v in r] for r in ask(hurried, FRAUD)["reasons"]] == contributions(
        model, [FRAUD], approximate=True
    )


def test_model_fn_budget_and_threads_come_from_the_environment(
    small_package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAUD_REASONS_BUDGET_MS", "7")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    loaded = inference.model_fn(str(small_package))
    assert loaded.reasons_budget == pytest.approx(0.007)
    assert json.loads(loaded.booster.save_config())["learner"]["generic_param"]["nthread"] == "2"


def test_model_fn_contract_that_the_booster_does_not_take_is_refused(small_package: Path, tmp_path: Path) -> None:
    shutil.copytree(small_package, tmp_path, dirs_exist_ok=True)
    document = json.loads((tmp_path / "package.json").read_text())
    document["contract"]["names"].reverse()
    (tmp_path / "package.json").write_text(json.dumps(document))

    with pytest.raises(ValueError, match="different features"):
        inference.model_fn(str(tmp_path))


def test_model_fn_damaged_model_is_refused_before_it_can_crash_the_server(small_package: Path, tmp_path: Path) -> None:
    shutil.copytree(small_package, tmp_path, dirs_exist_ok=True)
    model = tmp_path / "model.ubj"
    model.write_bytes(model.read_bytes()[:1000])

    with pytest.raises(ValueError, match=r"model\.ubj"):
        inference.model_fn(str(tmp_path))
