"""`fraud tune`: choose the model's parameters on past days."""

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import backtest, console, options
from cli.errors import CommandError

if TYPE_CHECKING:
    from model.tuning import Trial

EPILOG = """[bold]Examples[/bold]

  fraud tune --transactions handbook.parquet --train-start 2018-06-20 --trials 24

  fraud tune --transactions handbook.parquet --train-start 2018-06-20 --params model/params.json

The first trial is what params.json holds; the others are drawn at random. All are measured on the first fold, the
better third of them on the next one too, and so on. Later days than the folds chosen on tell what the choice is worth:
measure it there with `fraud backtest`."""

Trials = Annotated[int, typer.Option(min=1, max=200, help="How many sets of parameters to try.")]
Seed = Annotated[int, typer.Option(help="Seed of the draw.")]
Params = Annotated[Path | None, typer.Option(help="Write the best parameters here, as params.json.")]
Evidence = Annotated[Path | None, typer.Option(help="Append what was tried to this Markdown file.")]


def tune(
    transactions: backtest.Transactions,
    train_start: backtest.TrainStart,
    trials: Trials = 18,
    seed: Seed = 7,
    folds: backtest.Folds = 4,
    train_days: backtest.TrainDays = 7,
    delay_days: backtest.DelayDays = 7,
    test_days: backtest.TestDays = 7,
    columns: options.Columns = None,
    params: Params = None,
    evidence: Evidence = None,
    as_json: options.AsJson = False,
) -> None:
    """Search for better parameters on past days; the same seed tries the same ones."""
    from model.folds import Protocol

    protocol = Protocol(train_start.replace(tzinfo=UTC), folds, train_days, delay_days, test_days)
    table, _ = backtest.read(transactions, columns, timedelta(days=delay_days))
    found = search(table, protocol, trials, seed)
    if params is not None:
        params.write_text(json.dumps(chosen(found[0]), indent=2) + "\n", encoding="utf-8")
    if evidence is not None:
        with evidence.open("a", encoding="utf-8") as file:
            file.write("\n".join(["", *markdown(found), ""]))
    console.write_json({"trials": list(map(as_row, found)), "params": chosen(found[0])}) if as_json else show(found)


def search(table: Any, protocol: Any, trials: int, seed: int) -> "list[Trial]":
    """Every trial, best first, with progress. Raises: CommandError."""
    from model import boosting, tuning
    from model.backtest import NothingToMeasure

    with console.progress("Models", tuning.work(trials, protocol.folds)) as meter:

        def told(trial: "Trial") -> None:
            meter.advance(1)

        try:
            return tuning.search(table, protocol, boosting.chosen(), trials, seed, os.cpu_count() or 1, told)
        except NothingToMeasure as error:
            raise CommandError(f"{error}.") from error


def chosen(best: "Trial") -> dict[str, dict[str, Any]]:
    """`params.json` with the best trial's parameters."""
    from model import boosting

    parameters = best.parameters(boosting.chosen())
    return {group: {name: parameters[name] for name in names} for group, names in boosting.defaults().items()}


def as_row(trial: "Trial") -> dict[str, Any]:
    """What was tried and what it reached."""
    from model.tuning import ROUNDS

    reached = [each[ROUNDS.index(trial.rounds)] for each in trial.reached]
    return {
        "trial": trial.number,
        **trial.drawn,
        "num_boost_round": trial.rounds,
        "folds": len(trial.reached),
        "average_precision": trial.average_precision,
        "by_fold": reached,
        "seconds": round(trial.seconds, 1),
    }


def markdown(found: "Sequence[Trial]") -> Iterator[str]:
    """A table of all trials, best first."""
    rows = [{name: value for name, value in as_row(each).items() if name != "by_fold"} for each in found]
    yield f"| {' | '.join(rows[0])} |"
    yield f"|{'---|' * len(rows[0])}"
    for row in rows:
        yield f"| {' | '.join(f'{v:.4f}' if n == 'average_precision' else f'{v:g}' for n, v in row.items())} |"


def show(found: "Sequence[Trial]") -> None:
    """The best trials, and the best one's parameters."""
    from rich.table import Table

    grid = Table(box=None)
    for name in ("trial", "folds", "average precision", "rounds", "parameters"):
        grid.add_column(name, justify="left" if name == "parameters" else "right")
    for each in found[:10]:
        drawn = ", ".join(f"{name} {value:g}" for name, value in each.drawn.items())
        cells = (str(each.number), str(len(each.reached)), f"{each.average_precision:.4f}", str(each.rounds), drawn)
        grid.add_row(*cells)
    console.stdout().print(grid)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(tune)
