"""The evaluation job, from packages and rows to numbers that the verdict is made of."""

from __future__ import annotations

import re
import runpy
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fraud import evaluation
from fraud.evaluation import Evaluation, Verdict
from fraud.retraining_plan import Plan
from model import dataset, evaluate, package, train
from model.evaluation_rows import UnusableRows
from model.packaged import UnusablePackage
from model.simulator import Drift, SimulationConfig, simulate

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/3"
DAY = 86_400
CHANGE, LEARNED, DAYS = 21, 35, 42
"""Days: the market changes, what candidates learn from ends, and so do the rows."""
CONFIG = SimulationConfig(
    seed=3,
    cards=600,
    terminals=700,
    days=DAYS,
    fraud_rate=0.03,
    drift=Drift(CHANGE, amount_scale=0.3, new_pattern=True),
)


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """The whole market as `examine` leaves it, ordered by time; `day` counts from its beginning."""
    market = simulate(CONFIG)
    made = dataset.assemble(market.transactions, market.labels, CONFIG.start + timedelta(days=90))
    table = made.training_table()
    events = market.transactions.select(
        [
            "transaction_id",
            "card_token",
            "terminal_id",
            "amount_minor",
            "currency",
            "channel",
            "country",
            "merchant_category",
        ]
    )
    joined = table.join(events, "transaction_id").sort_by(
        [("occurred_at", "ascending"), ("transaction_id", "ascending")]
    )
    day = (joined["occurred_at"].to_numpy() - int(CONFIG.start.timestamp())) // DAY
    return joined.append_column("day", pa.array(day))


def between(rows: pa.Table, first: int, end: int) -> pa.Table:
    day = rows["day"].to_numpy()
    return rows.filter(pa.array((day >= first) & (day < end))).drop_columns("day")


Learn = Callable[[pa.Table], Path]


@pytest.fixture(scope="module")
def learn(tmp_path_factory: pytest.TempPathFactory) -> Learn:
    """Trains as the job does; the package's archive."""

    def trained(table: pa.Table) -> Path:
        base = tmp_path_factory.mktemp("job")
        (base / "train").mkdir()
        pq.write_table(table, base / "train" / "part-0.parquet")
        places = {"SM_MODEL_DIR": str(base / "model"), "SM_OUTPUT_DATA_DIR": str(base / "output")}
        environ = {"SM_CHANNEL_TRAIN": str(base / "train"), "SAGEMAKER_BASE_DIR": str(base), **places}
        train.main(["--eta", "0.1", "--num-boost-round", "80", "--max-bin", "128"], environ)
        package.build_archive(base / "model", base / "model.tar.gz")
        return base / "model.tar.gz"

    return trained


@pytest.fixture(scope="module")
def champion(rows: pa.Table, learn: Learn) -> Path:
    return learn(between(rows, 0, CHANGE))


@pytest.fixture(scope="module")
def candidate(rows: pa.Table, learn: Learn) -> Path:
    return learn(between(rows, CHANGE, LEARNED))


class Job:
    """The directory of a processing job."""

    def __init__(self, base: Path, rows: pa.Table, candidate: Path, champion: Path) -> None:
        self.base = base
        for name in ("rows", "candidate", "champion"):
            (base / "input" / name).mkdir(parents=True)
        pq.write_table(rows, base / "input" / "rows" / "part-0.parquet")
        (base / "input" / "candidate" / "model.tar.gz").write_bytes(candidate.read_bytes())
        (base / "input" / "champion" / "model.tar.gz").write_bytes(champion.read_bytes())

    def run(self, *, champion: str = ARN, draws: int = 150) -> Evaluation:
        words = ["--source", "archive", "--champion", champion, "--draws", str(draws), "--fairness", "country"]
        evaluate.main([str(self.base), *words])
        return evaluation.parse((self.base / "output" / evaluation.DOCUMENT).read_bytes())


@pytest.fixture
def job(tmp_path: Path, rows: pa.Table, candidate: Path, champion: Path) -> Job:
    return Job(tmp_path / "processing", between(rows, LEARNED, DAYS), candidate, champion)


def test_model_that_knows_what_changed_is_proven_better(job: Job, capsys: pytest.CaptureFixture[str]) -> None:
    found = job.run()
    gain = found.gains["average_precision"]
    assert 0 < gain.low < gain.difference < gain.high
    assert evaluation.judge(found, Plan()).verdict is Verdict.PROMOTE
    assert found.champion is not None and found.champion.model_package == ARN
    assert "evaluation:gain_average_precision=" in capsys.readouterr().out


def test_report_and_card_are_there_for_people(job: Job) -> None:
    job.run(draws=20)
    page = (job.base / "output" / evaluation.REPORT).read_text()
    assert "Candidate against champion" in page and page.count("<svg") >= 4
    # Nothing is fetched to show it; addresses of namespaces are names.
    assert not re.search(r"""(src|href)=["']?http|url\(http|<script|<link""", page)
    card = (job.base / "output" / evaluation.CARD).read_text()
    assert card.startswith("# Model card") and "champion" in card.lower()


def test_report_names_no_card(job: Job, rows: pa.Table) -> None:
    job.run(draws=20)
    written = "".join(path.read_text() for path in (job.base / "output").iterdir())
    tokens = rows["card_token"].unique().to_pylist()
    assert not [token for token in tokens if token in written]


def test_model_learned_from_shuffled_verdicts_is_rejected(
    tmp_path: Path, rows: pa.Table, learn: Learn, champion: Path
) -> None:
    table = between(rows, CHANGE, LEARNED)
    shuffled = np.random.default_rng(0).permutation(table["is_fraud"].to_numpy())
    place = table.column_names.index("is_fraud")
    nonsense = learn(table.set_column(place, "is_fraud", pa.array(shuffled)))
    found = Job(tmp_path, between(rows, LEARNED, DAYS), nonsense, champion).run()
    verdict = evaluation.judge(found, Plan())
    assert verdict.verdict is Verdict.REJECT, verdict.sentence


def test_same_model_on_both_sides_gains_nothing_and_is_not_promoted(
    tmp_path: Path, rows: pa.Table, candidate: Path
) -> None:
    found = Job(tmp_path, between(rows, LEARNED, DAYS), candidate, candidate).run(draws=30)
    assert {(each.difference, each.low, each.high) for each in found.gains.values()} == {(0.0, 0.0, 0.0)}
    assert evaluation.judge(found, Plan()).verdict is Verdict.SHADOW_ONLY


def test_first_model_is_measured_alone(job: Job) -> None:
    found = job.run(champion="none")
    assert (found.champion, found.gains) == (None, {})
    assert evaluation.judge(found, Plan()).verdict is Verdict.PROMOTE


def test_candidate_that_saw_the_rows_is_not_measured_on_them(
    tmp_path: Path, rows: pa.Table, candidate: Path, champion: Path
) -> None:
    job = Job(tmp_path, between(rows, LEARNED - 1, DAYS), candidate, champion)
    with pytest.raises(UnusableRows, match="learned from rows until"):
        job.run()


def test_damaged_champion_is_named(job: Job) -> None:
    archive = job.base / "input" / "champion" / "model.tar.gz"
    archive.write_bytes(archive.read_bytes()[:2_000])
    with pytest.raises(UnusablePackage, match="champion"):
        job.run()


@pytest.mark.parametrize("change", ["nobody", "one kind", "a column"])
def test_rows_that_cannot_be_measured_on_are_refused(job: Job, change: str) -> None:
    path = job.base / "input" / "rows" / "part-0.parquet"
    table: Any = pq.read_table(path)
    genuine = table.filter(pa.array(table["is_fraud"].to_numpy() == 0))
    changed = {"nobody": None, "one kind": genuine, "a column": table.drop_columns("card_token")}[change]
    path.unlink()
    if changed is not None:
        pq.write_table(changed, path)
    with pytest.raises(UnusableRows):
        job.run()


def test_segments_and_groups_are_told(job: Job) -> None:
    found = job.run(draws=20)
    assert {each.by for each in found.segments} == {"channel", "country", "amount", "card"}
    assert {each.by for each in found.groups} == {"country"}
    for by in ("channel", "amount", "card"):
        assert sum(each.rows for each in found.segments if each.by == by) == found.rows


def test_champion_that_saw_the_rows_is_said_to_be_flattered(
    tmp_path: Path, rows: pa.Table, candidate: Path, champion: Path
) -> None:
    older = Job(tmp_path, between(rows, CHANGE, LEARNED), candidate=champion, champion=candidate)
    older.run(draws=20)
    assert "The champion learned from rows until" in (older.base / "output" / evaluation.REPORT).read_text()


def test_champion_that_cannot_be_told_from_another_is_not_guessed(job: Job, champion: Path) -> None:
    (job.base / "input" / "champion" / "other.tar.gz").write_bytes(champion.read_bytes())
    with pytest.raises(UnusablePackage, match="holds 2 archives"):
        job.run()


def test_first_model_is_not_held_against_what_lies_in_the_champions_place(job: Job) -> None:
    (job.base / "input" / "champion" / "model.tar.gz").write_bytes(b"no archive")
    assert job.run(champion="none").champion is None


def test_script_ends_with_one_line_about_what_is_wrong_which_describing_the_job_tells(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job.base / "input" / "rows" / "part-0.parquet").unlink()
    told = job.base.parent / "output"
    told.mkdir()
    monkeypatch.setattr(sys, "argv", ["evaluate", str(job.base), "--fairness", "none"])
    with pytest.raises(SystemExit, match=r"^evaluate: .*rows holds no Parquet file$"):
        runpy.run_path(evaluate.__file__, run_name="__main__")
    assert not (job.base / "output").exists()
    assert (told / "message").read_text().endswith("rows holds no Parquet file")


def test_help_shows_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        evaluate.main(["--help"])
    assert "python3 -m evaluate /opt/ml/processing --source archive" in capsys.readouterr().out
