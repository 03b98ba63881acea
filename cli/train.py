"""`fraud train`: a model package from history."""

from pathlib import Path
from typing import Annotated

import typer

from cli import console, history, options, training
from cli.transaction_events import Conversion

EPILOG = """[bold]Examples[/bold]

  fraud train --simulate 60000

  fraud train --transactions handbook.parquet --out models/handbook

Then put it in service: fraud deploy-model .fraud/model --approve"""

Transactions = Annotated[Path | None, typer.Option(help="Learn from this file, which says what was fraud.")]
Simulate = Annotated[int | None, typer.Option(min=5000, help="Learn from about so many simulated transactions.")]
Seed = Annotated[int, typer.Option(help="Seed of the simulation.")]
Days = Annotated[int, typer.Option(min=20, help="Days that the simulation covers.")]
Delay = Annotated[str, typer.Option(help="How long after its transaction a fraud in the file became known.")]
Out = Annotated[Path, typer.Option(help="Directory for the model package.")]


def train(
    transactions: Transactions = None,
    simulate: Simulate = None,
    out: Out = Path(".fraud") / "model",
    limit: options.Limit = None,
    delay: Delay = "7d",
    seed: Seed = 7,
    days: Days = 45,
    columns: options.Columns = None,
    as_json: options.AsJson = False,
) -> None:
    """Compute features, train as SageMaker would, and write a model package."""
    if (transactions is None) == (simulate is None):
        raise typer.BadParameter("give either --transactions FILE or --simulate N")
    with console.working("Reading history"):
        if simulate is not None:
            past = history.simulated(simulate, seed, days)
        else:
            assert transactions is not None
            past = history.from_file(transactions, columns, Conversion(), limit, options.duration(delay))
    metrics = training.fit(training.assemble(past), out)
    tell(out, metrics, as_json)


def tell(out: Path, metrics: dict[str, float], as_json: bool) -> None:
    """Where the package is and what it promises."""
    if as_json:
        files = {"package": out, "archive": out / training.ARCHIVE, "report": out / training.REPORT}
        console.write_json({**files, "metrics": metrics})
        return
    words = {name.replace("_", " "): f"{value:.4f}" for name, value in metrics.items()}
    console.stdout().print(console.table_of("On the newest quarter, which it did not learn from", words))
    console.stdout().print(f"Report with plots in {(out / training.REPORT).resolve()}", highlight=False, soft_wrap=True)
    console.stdout().print(f"Model package in {out}; next: fraud deploy-model {out} --approve", highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(train)
