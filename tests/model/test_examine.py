"""The job, end to end: what it reads, what it says of it, and what it writes."""

from __future__ import annotations

import json
import runpy
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from fraud import dataset_checks, features
from fraud.dataset_checks import Checks
from fraud.services import retraining_run
from fraud.transaction import FUTURE_TOLERANCE, rfc3339
from model import examine, offline_features, past, served, train
from model.examples import EVENT
from model.history import History
from tests.fakes.retraining import retraining
from tests.model.served_market import CONTRACT, DAY, WARM_UP_DAYS, Market, as_maps, as_text, market

DAYS, SEED = 32, 5
HOUR = 3_600
FOREIGN = "0" * 16
LATER = "1970-01-01T00:00:00.000Z"
pytestmark = pytest.mark.usefixtures("quiet")


@pytest.fixture(autouse=True)
def quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """What the job tells is for the log."""


@dataclass(frozen=True)
class Job:
    """A job's directory."""

    base: Path

    def hold(self, table: pa.Table, name: str = "20260301_000000_00001_abcde") -> Job:
        """Athena names its files without an ending."""
        data = self.base / "input" / "data"
        data.mkdir(parents=True, exist_ok=True)
        if name.endswith(".csv"):
            pa.csv.write_csv(table, data / name)
        else:
            pq.write_table(table, data / name)
        return self

    def run(self, as_of: float, source: str = "archive", **given: object) -> Checks:
        plan = {
            "training_days": 90,
            "maturity_days": 7,
            "evaluation_days": 7,
            "gap_days": 7,
            "fewest_frauds": 50,
            "fewest_evaluation_frauds": 20,
            "freshest_hours": 72,
            "freshest_label_days": 14,
            "most_fraud_share": 0.2,
        }
        asked = {"source": source, "as_of": rfc3339(as_of), **plan, **given}
        words = [word for name, value in asked.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        examine.main([str(self.base), *words])
        return dataset_checks.parse((self.base / "output" / "checks.json").read_bytes())

    def part(self, name: str) -> pa.Table:
        return pq.read_table(self.base / "output" / name)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.fixture(scope="module")
def at() -> Market:
    return market(DAYS, SEED, cards=900)


@pytest.fixture(scope="module")
def honest(at: Market) -> pa.Table:
    return at.table(at.served())


def replaced(table: pa.Table, **columns: object) -> pa.Table:
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    return table


def by_name(found: Checks) -> dict[str, dataset_checks.Check]:
    return {check.name: check for check in found.checks}


def unfit(found: Checks) -> list[str]:
    return [check.name for check in found.checks if check.outcome is dataset_checks.Outcome.UNFIT]


def test_examination_of_enough_good_rows_passes_and_parts_them(job: Job, at: Market, honest: pa.Table) -> None:
    found = job.hold(honest).run(at.as_of)

    assert dataset_checks.outcome(found) is dataset_checks.Outcome.PASSED, dataset_checks.told(found)
    assert found.source == "archive" and found.rows == honest.num_rows
    for part, name in ((found.learning, "learn"), (found.evaluation, "evaluate")):
        rows = job.part(name)
        assert (part.rows, part.frauds) == (rows.num_rows, pc.sum(rows["is_fraud"]).as_py())
        ends = pc.min_max(rows["occurred_at"]).as_py()
        assert (part.first_at, part.last_at) == (rfc3339(ends["min"]), rfc3339(ends["max"]))
    assert found.learning.rows + found.evaluation.rows + sum(found.left_out.values()) == found.rows
    assert found.learning.last_at < found.evaluation.first_at <= rfc3339(at.as_of - 7 * DAY)
    assert all(found.left_out[reason] > 0 for reason in ("immature", "gap")) and found.gap_days > 5


def test_examination_parts_hold_what_training_and_evaluation_read(job: Job, at: Market, honest: pa.Table) -> None:
    job.hold(honest).run(at.as_of)
    learned, measured = job.part("learn"), job.part("evaluate")

    assert learned.column_names == [*features.NAMES, "is_fraud", "occurred_at", "transaction_id"]
    assert measured.column_names == [*features.NAMES, "is_fraud", "occurred_at", *EVENT]
    assert {str(measured.schema.field(name).type) for name in ("occurred_at", "amount_minor")} == {"int64"}
    read = train.read(job.base / "output" / "learn")
    assert read.names == features.NAMES and len(read) == learned.num_rows


def test_examination_keeps_the_values_that_were_served(job: Job, at: Market, honest: pa.Table) -> None:
    job.hold(honest).run(at.as_of)
    measured = job.part("evaluate")
    rows = pc.index_in(measured["transaction_id"], value_set=honest["transaction_id"]).to_numpy()

    np.testing.assert_array_equal(np.column_stack([measured[name] for name in features.NAMES]), at.served()[rows])
    assert measured["is_fraud"].to_pylist() == pc.fill_null(honest["is_fraud"], False).take(rows).to_pylist()
    assert measured["card_token"].to_pylist() == honest["card_token"].take(rows).to_pylist()


def test_examination_of_too_few_frauds_is_not_enough_and_says_how_many(job: Job, at: Market, honest: pa.Table) -> None:
    found = job.hold(honest).run(at.as_of, fewest_frauds=5_000)

    assert dataset_checks.outcome(found) is dataset_checks.Outcome.NOT_ENOUGH
    assert f"Only {found.learning.frauds} frauds to learn from; 5,000 are needed" in dataset_checks.told(found)
    assert job.part("learn").num_rows == found.learning.rows


def test_examination_of_terminal_risk_that_ignores_the_label_delay_is_unfit_and_names_it(job: Job, at: Market) -> None:
    found = job.hold(at.table(at.leaking())).run(at.as_of)

    assert unfit(found) == ["leakage"]
    assert "terminal_" in dataset_checks.told(found) and "knew verdicts before they came" in dataset_checks.told(found)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_examination_of_shuffled_verdicts_passes_for_that_is_for_the_evaluation_to_reject(
    job: Job, at: Market, honest: pa.Table, seed: int
) -> None:
    order = pa.array(np.random.default_rng(seed).permutation(honest.num_rows))
    verdicts = {name: honest[name].take(order) for name in ("is_fraud", "known_at", "first_fraud_at")}
    # Each verdict with its delay: one that came before its transaction would be something else.
    ages = np.where(at.judged, at.verdict_at - at.history.at, 0)[at.archived][order.to_numpy()]
    moments = at.history.at[at.archived] + ages
    never = 2**62
    judged, fraud = pc.is_valid(verdicts["is_fraud"]).to_numpy(), pc.fill_null(verdicts["is_fraud"], False).to_numpy()
    known = judged & (moments <= at.as_of)
    shuffled = replaced(
        honest,
        is_fraud=pa.array(fraud, mask=~known),
        known_at=as_text(np.where(known, moments, never)),
        first_fraud_at=as_text(np.where(known & fraud, moments, never)),
    )
    found = job.hold(shuffled).run(at.as_of)

    assert dataset_checks.outcome(found) is dataset_checks.Outcome.PASSED, dataset_checks.told(found)


# --- What may be wrong with rows --------------------------------------------------------------------------------------


def test_examination_of_a_stream_that_is_no_longer_archived_is_unfit(job: Job, at: Market, honest: pa.Table) -> None:
    found = job.hold(honest).run(at.as_of + 73 * HOUR)

    assert unfit(found) == ["fresh_decisions"] and "is the stream archived?" in dataset_checks.told(found)


def test_examination_of_verdicts_that_no_longer_come_is_unfit(job: Job, at: Market, honest: pa.Table) -> None:
    old = pc.less(honest["known_at"], rfc3339(at.as_of - 15 * DAY))
    stopped = replaced(
        honest,
        is_fraud=pc.if_else(old, honest["is_fraud"], None),
        known_at=pc.if_else(old, honest["known_at"], None),
        first_fraud_at=pc.if_else(old, honest["first_fraud_at"], None),
    )
    found = job.hold(stopped).run(at.as_of, fewest_evaluation_frauds=0)

    assert unfit(found) == ["fresh_verdicts"]


def test_examination_with_too_short_a_maturity_is_unfit(job: Job, at: Market, honest: pa.Table) -> None:
    found = job.hold(honest).run(at.as_of, maturity_days=2)

    assert unfit(found) == ["label_delay"] and "give plan.maturity_days more" in dataset_checks.told(found)


def test_examination_leaves_out_unreadable_and_blocked_rows_and_counts_them(
    job: Job, at: Market, honest: pa.Table
) -> None:
    mature = pc.less(honest["occurred_at"], rfc3339(at.as_of - 8 * DAY)).to_numpy()
    silent = mature & ~pc.is_valid(honest["is_fraud"]).to_numpy()
    judged = mature & ~silent
    # `features` is null where it was a list, written by code with another table of features.
    readable = np.ones(len(mature), dtype=np.bool_)
    readable[np.flatnonzero(silent)[:30]] = False
    contracts = np.where(np.isin(np.arange(len(mature)), np.flatnonzero(silent)[100:107]), FOREIGN, CONTRACT)
    blocked = np.zeros(len(mature), dtype=np.bool_)
    blocked[np.flatnonzero(silent)[20:70]] = True
    blocked[np.flatnonzero(judged)[:9]] = True
    maps = honest["features"].combine_chunks()
    holes = pa.MapArray.from_arrays(
        pa.array(maps.offsets.to_numpy(), mask=np.append(~readable, False)), maps.keys, maps.items
    )
    assert holes.null_count == 30
    action = pa.array(np.where(blocked, "block", "approve"))
    found = job.hold(replaced(honest, action=action, features=holes, contract=pa.array(contracts))).run(at.as_of)

    assert (found.left_out["unreadable"], found.left_out["blocked_without_verdict"]) == (37, 40)
    assert by_name(found)["readable"].observed == 37
    assert dataset_checks.outcome(found) is dataset_checks.Outcome.PASSED, dataset_checks.told(found)


def test_examination_of_a_feature_that_is_no_longer_written_is_unfit_and_names_it(
    job: Job, at: Market, honest: pa.Table
) -> None:
    maps = honest["features"].combine_chunks()
    keys = pc.if_else(pc.equal(maps.keys, "card_mean_24h"), "card_mean_1d", maps.keys)
    renamed = pa.MapArray.from_arrays(maps.offsets, keys, maps.items)
    older = features.contract_hash(name for name in features.NAMES if name != "card_mean_24h")
    contract = pa.repeat(older, honest.num_rows)
    found = job.hold(replaced(honest, features=renamed, contract=contract)).run(at.as_of)

    assert unfit(found) == ["schema"] and "card_mean_24h is known in none" in dataset_checks.told(found)
    assert np.isnan(job.part("learn")["card_mean_24h"].to_numpy()).all()


def test_examination_asks_for_every_feature_in_the_rows_that_are_learned_from(
    job: Job, at: Market, honest: pa.Table
) -> None:
    older = features.contract_hash(features.NAMES[:-1])
    first_new = int((at.history.at[at.archived] < at.as_of - 10 * DAY).sum())
    shorter = as_maps(at.served()[:first_new], features.NAMES[:-1])
    mixed = pa.concat_arrays([shorter, as_maps(at.served()[first_new:])])
    contract = pa.array([older] * first_new + [CONTRACT] * (honest.num_rows - first_new))
    found = job.hold(replaced(honest, features=mixed, contract=contract)).run(at.as_of)

    assert unfit(found) == ["schema"] and features.NAMES[-1] in dataset_checks.told(found)
    assert by_name(found)["readable"].observed == 0


def test_examination_of_another_definition_alone_is_not_enough_and_says_why(
    job: Job, at: Market, honest: pa.Table
) -> None:
    found = job.hold(replaced(honest, contract=pa.repeat(FOREIGN, honest.num_rows))).run(at.as_of)

    assert dataset_checks.outcome(found) is dataset_checks.Outcome.NOT_ENOUGH
    assert f"{found.rows:,} of {found.rows:,} rows are left out" in dataset_checks.told(found)


def test_examination_measures_delays_of_verdicts_on_frauds_that_are_old_enough(
    job: Job, at: Market, honest: pa.Table
) -> None:
    found = job.hold(honest).run(at.as_of, maturity_days=3)

    frauds = at.history.is_fraud & at.archived & (at.history.at <= at.as_of - 3 * DAY)
    late = frauds & (at.history.known_at - at.history.at > 3 * DAY)
    assert late.any() and by_name(found)["label_delay"].observed == round(late.sum() / frauds.sum(), 4)


def test_examination_of_a_value_beyond_all_numbers_is_unfit(job: Job, at: Market, honest: pa.Table) -> None:
    maps = honest["features"].combine_chunks()
    items = maps.items.to_numpy(zero_copy_only=False).copy()
    items[features.NAMES.index("card_spend_24h")] = 1e300
    found = job.hold(
        replaced(honest, features=pa.MapArray.from_arrays(maps.offsets, maps.keys, pa.array(items, from_pandas=True)))
    ).run(at.as_of)

    assert unfit(found) == ["finite_values"] and "card_spend_24h" in dataset_checks.told(found)


def test_examination_of_an_outcome_among_the_features_is_unfit(job: Job, at: Market, honest: pa.Table) -> None:
    matrix = at.served()
    matrix[:, 3] = pc.fill_null(honest["is_fraud"], False).to_numpy()
    found = job.hold(replaced(honest, features=as_maps(matrix))).run(at.as_of)

    assert unfit(found) == ["giveaway"] and f"{features.NAMES[3]} alone tells frauds" in dataset_checks.told(found)


def test_examination_of_repeated_transactions_is_unfit(job: Job, at: Market, honest: pa.Table) -> None:
    found = job.hold(honest).hold(honest.slice(5_000, 3), "copies").run(at.as_of)

    assert unfit(found) == ["duplicates"] and by_name(found)["duplicates"].observed == 3


def test_examination_of_what_came_later_than_asked_for_is_unfit(job: Job, at: Market, honest: pa.Table) -> None:
    later = np.zeros(honest.num_rows, dtype=np.int64)
    later[:2] = at.as_of + 1
    arrived = as_text(np.maximum(later, at.history.at[at.archived]))
    judged_later = np.flatnonzero(pc.is_valid(honest["is_fraud"]).to_numpy())[:1]
    known = pc.if_else(
        pa.array(np.isin(np.arange(honest.num_rows), judged_later)), rfc3339(at.as_of + 1), honest["known_at"]
    )
    found = job.hold(replaced(honest, arrived_at=arrived, known_at=known)).run(at.as_of)

    assert unfit(found) == ["point_in_time"] and by_name(found)["point_in_time"].observed == 3


def test_examination_of_unbelievably_many_frauds_is_unfit(job: Job, at: Market, honest: pa.Table) -> None:
    assert unfit(job.hold(honest).run(at.as_of, most_fraud_share=0.001)) == ["fraud_share"]


def test_examination_of_an_empty_archive_is_not_enough_and_writes_no_part(job: Job, at: Market) -> None:
    (job.base / "input" / "data").mkdir(parents=True)
    found = job.run(at.as_of)

    assert dataset_checks.outcome(found) is dataset_checks.Outcome.NOT_ENOUGH
    assert found.rows == 0 and found.learning == found.evaluation == dataset_checks.Part(0, 0)
    assert [path.name for path in (job.base / "output").iterdir()] == ["checks.json"]


def test_examination_of_decisions_without_any_verdict_is_not_enough(job: Job, at: Market, honest: pa.Table) -> None:
    nothing = pa.nulls(honest.num_rows, pa.string())
    unjudged = replaced(
        honest, is_fraud=pa.nulls(honest.num_rows, pa.bool_()), known_at=nothing, first_fraud_at=nothing
    )
    found = job.hold(replaced(unjudged, features=as_maps(at.compute(np.full(len(at.history), 2**62))))).run(at.as_of)

    assert dataset_checks.outcome(found) is dataset_checks.Outcome.NOT_ENOUGH, unfit(found)


# --- Reading the archive ----------------------------------------------------------------------------------------------


def test_examination_is_the_same_however_rows_lie_in_files(tmp_path: Path, at: Market, honest: pa.Table) -> None:
    shuffled = honest.take(pa.array(np.random.default_rng(0).permutation(honest.num_rows)))
    one, many = Job(tmp_path / "one").hold(honest), Job(tmp_path / "many")
    for number in range(3):
        many.hold(shuffled.filter(pa.array(np.arange(shuffled.num_rows) % 3 == number)), f"file-{number}")
    many.hold(honest.slice(0, 5), ".hidden").hold(honest.slice(0, 5), "_SUCCESS")

    assert one.run(at.as_of) == many.run(at.as_of)
    for name in ("learn", "evaluate"):
        ours, theirs = one.part(name), many.part(name)
        assert ours.schema == theirs.schema
        for column in ours.column_names:
            np.testing.assert_array_equal(ours[column], theirs[column])


@pytest.mark.parametrize(("ahead", "believed"), [(FUTURE_TOLERANCE, True), (FUTURE_TOLERANCE + 0.001, False)])
def test_reading_event_from_the_future_counts_at_its_arrival(
    job: Job, honest: pa.Table, ahead: float, believed: bool
) -> None:
    arrived = 1_700_000_000
    row = replaced(
        honest.slice(0, 1), occurred_at=pa.array([rfc3339(arrived + ahead)]), arrived_at=pa.array([rfc3339(arrived)])
    )

    assert served.read(job.hold(row).base).at.tolist() == [arrived + (int(ahead) if believed else 0)]


def test_reading_part_of_columns_is_refused_by_their_names(job: Job, honest: pa.Table) -> None:
    with pytest.raises(ValueError, match="lacks action, first_fraud_at"):
        served.read(job.hold(honest.drop_columns(["action", "first_fraud_at"])).base)


# --- A history, and the simulator -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def history(at: Market) -> pa.Table:
    """A market's transactions with their outcomes."""
    times = {
        "occurred_at": pa.array(at.history.at, pa.timestamp("s", "UTC")),
        "labelled_at": pa.array(np.where(at.judged, at.verdict_at, 0), pa.timestamp("s", "UTC"), mask=~at.judged),
    }
    return at.events.append_column("is_fraud", pa.array(at.history.is_fraud)).append_column(
        "occurred_at", times["occurred_at"]
    ).append_column("labelled_at", times["labelled_at"])  # fmt: skip


@pytest.mark.parametrize("name", ["past.parquet", "past.csv"])
def test_history_is_read_with_the_features_it_would_have_had(
    job: Job, at: Market, history: pa.Table, name: str
) -> None:
    found = job.hold(history, name).run(at.as_of, "history")

    assert dataset_checks.outcome(found) is dataset_checks.Outcome.PASSED, dataset_checks.told(found)
    assert found.source == "history" and found.rows == history.num_rows
    assert not by_name(found).keys() & {"fresh_decisions", "fresh_verdicts"}
    rows = past.read(job.base / "input" / "data", at.as_of, 7 * DAY)
    reference = History.from_table(history, timedelta())
    order = pc.index_in(rows.events["transaction_id"], value_set=reference.transaction_ids)
    np.testing.assert_array_equal(rows.features, offline_features.compute(reference)[order])
    order = pc.index_in(rows.events["transaction_id"], value_set=at.events["transaction_id"])
    assert rows.events.equals(at.events.take(order))


def test_history_verdict_that_came_later_is_not_known(job: Job, at: Market, history: pa.Table) -> None:
    folder = job.hold(history, "past.parquet").base / "input" / "data"
    moment = at.as_of - 10 * DAY
    then = past.read(folder, moment, 7 * DAY)

    assert then.at.max() <= moment and len(then) == (at.history.at <= moment).sum()
    known = at.history.is_fraud & (at.history.known_at <= moment)
    assert then.is_fraud.sum() == known.sum() < (at.history.is_fraud & (at.history.at <= moment)).sum()


def test_history_without_times_of_verdicts_waits_for_the_maturity(job: Job, at: Market, history: pa.Table) -> None:
    folder = job.hold(history.drop_columns(["labelled_at"]), "past.parquet").base / "input" / "data"
    rows = past.read(folder, at.as_of, 7 * DAY)

    fraud = rows.is_fraud
    np.testing.assert_array_equal(rows.known_at[fraud] - rows.at[fraud], 7 * DAY)
    assert not rows.judged[rows.at > at.as_of - 7 * DAY].any()


def test_history_of_years_ago_is_cut_to_its_newest_days(job: Job, at: Market, history: pa.Table) -> None:
    found = job.hold(history, "past.parquet").run(at.as_of + 1_000 * DAY, "history", training_days=40)

    assert found.left_out["older"] > 0 and found.left_out["immature"] == 0
    assert dataset_checks.outcome(found) is dataset_checks.Outcome.PASSED, dataset_checks.told(found)


@pytest.mark.parametrize("spoil", [lambda table: table.drop_columns(["is_fraud"]), None])
def test_history_that_is_none_is_refused(
    job: Job, history: pa.Table, spoil: Callable[[pa.Table], pa.Table] | None
) -> None:
    job.hold(spoil(history) if spoil else history, "past.parquet" if spoil else "past.txt")

    with pytest.raises(ValueError, match="lacks is_fraud" if spoil else r"ends with \.parquet or \.csv"):
        past.read(job.base / "input" / "data", 2_000_000_000, 7 * DAY)


def test_simulator_gives_enough_to_learn_from_and_ends_at_the_moment_asked_for(job: Job, at: Market) -> None:
    moment = at.as_of + 10 * HOUR
    found = job.run(moment, "simulator")

    assert dataset_checks.outcome(found) is dataset_checks.Outcome.PASSED, dataset_checks.told(found)
    assert 50_000 < found.rows < 70_000
    assert rfc3339(moment - 8 * DAY) < found.evaluation.last_at <= rfc3339(moment - 7 * DAY)


# --- What it cannot read ----------------------------------------------------------------------------------------------


def test_script_ends_with_one_line_about_what_is_wrong_which_describing_the_job_tells(
    tmp_path: Path, honest: pa.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = Job(tmp_path / "processing").hold(honest.drop_columns(["action"]), "rows")
    (tmp_path / "output").mkdir()
    arguments = [str(job.base), *retraining_run._examine(retraining())]
    monkeypatch.setattr(sys, "argv", ["examine", *arguments])
    with pytest.raises(SystemExit, match=r"^examine: rows lacks action$"):
        runpy.run_path(examine.__file__, run_name="__main__")
    assert (tmp_path / "output" / "message").read_text() == "examine: rows lacks action"


# --- Its arguments ----------------------------------------------------------------------------------------------------


def test_arguments_are_those_that_the_state_machine_gives() -> None:
    asked = examine._parse([".", *retraining_run._examine(retraining())])

    assert examine._lengths(asked) == (90 * DAY, 7 * DAY, 7 * DAY, 7 * DAY)
    assert (asked.source, asked.as_of) == ("archive", retraining().as_of)


def test_help_shows_an_example_that_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        examine.main(["--help"])

    assert ended.value.code == 0 and "python3 -m examine" in capsys.readouterr().out
    _, _, command = examine.EXAMPLE.replace("\\\n", " ").partition("-m examine")
    assert examine._parse(shlex.split(command)).source == "archive"


@pytest.mark.parametrize(
    "wrong", [["--as-of", LATER[:-1]], ["--gap-days", "-1"], ["--source", "guess"], ["--more", "1"]]
)
def test_arguments_that_make_no_sense_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        examine._parse([".", *retraining_run._examine(retraining()), *wrong])

    assert ended.value.code == 2 and wrong[0] in capsys.readouterr().err


def test_log_tells_every_check_while_the_job_runs(
    job: Job, at: Market, honest: pa.Table, capsys: pytest.CaptureFixture[str]
) -> None:
    found = job.hold(honest).run(at.as_of)

    lines = capsys.readouterr().out.splitlines()
    assert all(f"{each.name}: {each.outcome}. {each.sentence}" in lines for each in found.checks)


def test_checks_are_written_as_json_that_any_reader_takes(job: Job, at: Market, honest: pa.Table) -> None:
    job.hold(honest).run(at.as_of)

    text = (job.base / "output" / "checks.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))["schema_version"] == 1


def test_market_of_these_tests_begins_in_the_middle_of_a_longer_one(at: Market) -> None:
    assert not at.archived[0] and at.archived[-1] and WARM_UP_DAYS > 30
