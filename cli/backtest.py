"""`fraud backtest`: what the model would have been worth on past days."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, options, transactions_file
from cli.errors import CommandError

if TYPE_CHECKING:
    from model.backtest import FoldResult, Table
    from model.folds import Protocol

EPILOG = """[bold]Examples[/bold]

  fraud backtest --transactions handbook.parquet --train-start 2018-06-20 --folds 4

  fraud backtest --transactions handbook.parquet --train-start 2018-06-20 --train-days 28 --report backtest.html

  fraud backtest --transactions payments.csv --train-start 2026-03-02 --columns 'card=PAN_HASH,amount=EUR,…' --json

Each fold learns from a week (or more days that end with it), waits until its labels are known, and is measured on the
days that follow; the next fold is a week later. The file says what was fraud. History before the first fold is read
too: features look back up to 30 days."""

Transactions = Annotated[Path, typer.Option(help="Parquet, CSV or JSONL that says what was fraud.")]
TrainStart = Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day of the first fold's train week.")]
Folds = Annotated[int, typer.Option(min=1, help="How many folds, a week apart.")]
TrainDays = Annotated[int, typer.Option(min=1, help="Days to learn from; they end with the train week.")]
DelayDays = Annotated[int, typer.Option(min=0, help="Days until it is known what was fraud.")]
TestDays = Annotated[int, typer.Option(min=1, help="Days to measure on.")]
Drop = Annotated[list[str] | None, typer.Option(help="Leave out a feature; may be given several times.")]
Report = Annotated[Path | None, typer.Option(help="Write an HTML page with plots here.")]


@dataclass(frozen=True)
class Backtest:
    """What came of it."""

    results: "list[FoldResult]"
    mean: dict[str, float]
    feature_seconds: float
    compared_for_leaks: int

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "folds": [each.as_json() for each in self.results],
            "mean": self.mean,
            "feature_seconds": round(self.feature_seconds, 3),
            "rows_checked_for_leaks": self.compared_for_leaks,
        }


def backtest(
    transactions: Transactions,
    train_start: TrainStart,
    folds: Folds = 4,
    train_days: TrainDays = 7,
    delay_days: DelayDays = 7,
    test_days: TestDays = 7,
    columns: options.Columns = None,
    drop: Drop = None,
    report: Report = None,
    as_json: options.AsJson = False,
) -> None:
    """Measure the model on past days: learn, wait for labels, test, move on a week."""
    from model.folds import Protocol

    protocol = Protocol(train_start.replace(tzinfo=UTC), folds, train_days, delay_days, test_days)
    table, seconds = read(transactions, columns, timedelta(days=delay_days))
    done = measure(table.without(known_features(drop or [])), protocol, seconds)
    is_handbook = transactions_file.columns_of(transactions, columns) == transactions_file.HANDBOOK
    if is_handbook:
        warn_if_too_good(done.mean["average_precision"])
    if report is not None:
        write_report(report, transactions.name, done, protocol, is_handbook=is_handbook)
    console.write_json(done.as_json()) if as_json else show(done)


def read(path: Path, columns: str | None, label_delay: timedelta) -> "tuple[Table, float]":
    """The file with the features of every row, and the seconds that those took. Raises: CommandError."""
    # Threads that wait for each other sleep: on a machine with other work, spinning makes fitting several times slower.
    # OpenMP reads it when XGBoost is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from cli import transactions_table
    from fraud import features
    from model import offline_features
    from model.backtest import Table
    from model.history import History

    with console.working("Reading transactions"):
        history = History.from_table(transactions_table.read(path, columns), label_delay)
    began = time.perf_counter()
    with console.progress(f"Computing features of {len(history):,} rows", len(features.NAMES)) as meter:
        matrix = offline_features.compute(history, progress=lambda done, _: meter.reach(done))
    return Table(history, features.NAMES, matrix), time.perf_counter() - began


def measure(table: "Table", protocol: "Protocol", feature_seconds: float) -> Backtest:
    """Look for leaks, then run every fold. Raises: CommandError."""
    from model import backtest as backtests
    from model import boosting, leaks, offline_features

    try:
        with console.working("Looking for features that read the future"):
            compared = leaks.check(table, protocol, offline_features.compute)
        runs = backtests.run(table, protocol, boosting.chosen(), os.cpu_count() or 1)
        with console.progress("Folds", protocol.folds) as meter:
            results = [_counted(each, meter.advance) for each in runs]
    except (leaks.LeakFound, backtests.NothingToMeasure) as error:
        raise CommandError(f"{error}.") from error
    return Backtest(results, backtests.mean(results), feature_seconds, compared)


def _counted(result: "FoldResult", advance: Callable[[int], None]) -> "FoldResult":
    advance(1)
    return result


def known_features(names: list[str]) -> list[str]:
    """The names, if all of them are features. Raises: CommandError."""
    from fraud import features

    unknown = sorted(set(names) - set(features.NAMES))
    if unknown:
        raise CommandError(f"--drop: there is no feature {', '.join(unknown)}; there are {', '.join(features.NAMES)}.")
    return names


def warn_if_too_good(average_precision: float) -> None:
    """On the Handbook's data it is known what can be reached."""
    from model.published import LEAKAGE_ABOVE

    if average_precision > LEAKAGE_ABOVE:
        console.say(
            f"[bold yellow]Too good[/] An average precision of {average_precision:.3f} cannot be reached on the "
            f"Handbook's data without labels that were not known yet: look for a leak."
        )


def write_report(path: Path, source: str, done: Backtest, protocol: "Protocol", *, is_handbook: bool) -> None:
    """Write the page, and say where it is."""
    from model import backtest_report, boosting
    from model import report as reports

    share = boosting.chosen()["review_share"]
    data = backtest_report.report_data(source, done.results, protocol, share, is_handbook=is_handbook)
    path.write_text(reports.render(data), encoding="utf-8")
    console.say(f"Report in {path.resolve()}")


def show(done: Backtest) -> None:
    """A column per fold, and their mean."""
    from rich.table import Table as Grid

    from model.backtest import METRICS_IN_WORDS

    grid = Grid(box=None)
    grid.add_column("test from", style="cyan", no_wrap=True)
    for each in done.results:
        grid.add_column(_day(each.fold.test_from), justify="right")
    grid.add_column("mean", justify="right", style="bold")
    for name, words in METRICS_IN_WORDS.items():
        values = [*(each.metrics[name] for each in done.results), done.mean[name]]
        grid.add_row(words, *(f"{value:.4f}" for value in values))
    console.stdout().print(grid)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(backtest)
