"""`fraud demo`: everything once, on this machine, with a summary of what it came to."""

import secrets
import signal
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import backfill, console, demo_report, deploy, outcomes, simulation, sinks, tables, training
from cli.history import History
from cli.laptop_process import laptop
from cli.options import AsJson
from cli.producer import Pace, Producer
from cli.summary import Outcome, Summary, summarise
from cli.target import LOCAL_FILE, Target

if TYPE_CHECKING:
    from pyarrow import Table

    from model.dataset import Dataset
    from model.simulator import Simulation

PURPOSE = "Everything once, on this machine, with a summary of what it came to."
EPILOG = """[bold]Examples[/bold]

  fraud demo

  fraud demo --transactions 50000 --json

  fraud demo rollout

  fraud demo retraining

It starts a stack unless `fraud up` runs one in this directory, trains a model on simulated history, puts it in
service, streams the transactions and labels that followed, and ends what it started."""
ROLLOUT_EPILOG = """[bold]Examples[/bold]

  fraud demo rollout

  fraud demo rollout --json

It starts a stack with short bakes, puts a first model in service, and keeps payments flowing while four challengers are
approved one after the other: one that errs, one that is slow, one that blocks too much, and a good one. Each is
promoted, or rolled back with the reason. It fails if one is not treated as it deserves, or anything is lost."""

RETRAINING_EPILOG = """[bold]Examples[/bold]

  fraud demo retraining

  fraud demo retraining --json | jq .gains.average_precision

It starts a stack, puts a first model in service, and streams two weeks of payments in which amounts fall and a kind
of fraud appears that the model never saw. Verdicts come back, the retraining is started with {} as from the console,
and what it learned is rolled out while payments flow. It fails if the new model does not take over, or anything is
lost."""

Transactions = Annotated[int, typer.Option(min=2000, help="How many transactions to stream.")]
Template = Annotated[Path, typer.Option(help="The SAM template to deploy.")]
Seed = Annotated[int, typer.Option(help="Seed of the simulation.")]

DAYS = 42
HISTORY = 3.3
"""Transactions simulated for each that is streamed; what comes before those is learned from."""
LABELS_KNOWN_AFTER = timedelta(days=8)
FULL_SPEED_SHARE = 0.6
PACE = 0.6
"""Latency is measured at this share of full speed: at full speed it would measure the queue."""
SLICES = 5
LOOK_EVERY = 0.3
"""Seconds between looks at the rollout of the first model."""
OUT = LOCAL_FILE.parent / "demo-model"


@dataclass(frozen=True)
class Streamed:
    """What was sent, and since when (seconds since 1970) at a pace."""

    market: "Simulation"
    first_part: int
    paced_since: float


rooms = typer.Typer(help=PURPOSE, invoke_without_command=True)


@rooms.callback(epilog=EPILOG)
def demo(
    context: typer.Context,
    transactions: Transactions = 20_000,
    template: Template = Path("template.yaml"),
    seed: Seed = 7,
    as_json: AsJson = False,
) -> None:
    """Boot the stack, train and deploy a first model, stream transactions and labels, and sum up."""
    if context.invoked_subcommand is None:
        run(transactions, template, seed, as_json)


@rooms.command(epilog=ROLLOUT_EPILOG)
def rollout(template: Template = Path("template.yaml"), seed: Seed = 7, as_json: AsJson = False) -> None:
    """Roll challengers out, good and bad, while payments flow."""
    from cli import demo_rollout

    demo_rollout.play(template, seed, as_json)


@rooms.command(epilog=RETRAINING_EPILOG)
def retraining(template: Template = Path("template.yaml"), seed: Seed = 7, as_json: AsJson = False) -> None:
    """Learn a model that knows what changed, and roll it out."""
    from cli import demo_retraining

    demo_retraining.play(template, seed, as_json)


def run(transactions: int, template: Path, seed: int, as_json: bool) -> None:
    """The demonstration of the whole stack. Raises: CommandError when something was lost."""
    started = time.monotonic()
    end_in_good_order()
    with laptop(template) as target:
        console.say(f"[bold]Stack[/] {target.stack_name} at {target.endpoint_url}")
        quarantined = outcomes.quarantined(target)
        before = outcomes.decided(target) + quarantined
        past, future = draw(transactions, seed if before == 0 else secrets.randbelow(2**31))
        report = prepare(target, past, is_new=before == 0)
        streamed = stream(target, future, before)
        summary = sum_up(target, streamed, quarantined)
    demo_report.tell(summary, time.monotonic() - started, as_json)
    if report is not None:
        console.say(f"Report with plots of the model: {report.resolve()}")


def end_in_good_order() -> None:
    """Let SIGTERM do what Ctrl-C does, so that the stack is ended, too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def draw(transactions: int, seed: int) -> tuple["Simulation", "Simulation"]:
    """A market up to now, cut into what is learned from and what is streamed."""
    with console.working("Simulating a market"):
        until = datetime.now(UTC) - LABELS_KNOWN_AFTER
        market = simulation.market(int(transactions * HISTORY), seed, until, days=DAYS)
        first = len(market.transactions) - transactions
        past, future = market.cut(market.transactions["occurred_at"][first].as_py())
    told = f"[bold]Simulated[/] {len(past.transactions):,} transactions to learn from, {len(future.transactions):,}"
    console.say(f"{told} to stream, {DAYS} days, seed {seed}")
    return past, future


def prepare(target: Target, past: "Simulation", *, is_new: bool) -> Path | None:
    """A first model, whose report is returned, and the states that history led to; a stack with a model keeps it."""
    if tables.get(target, "RolloutTableName", {"pk": "routing", "sk": "routing"}) is not None:
        console.say("[bold]Model[/] the one that serves already")
        return None
    first_model(target, past, is_new=is_new)
    return OUT / training.REPORT


def first_model(target: Target, past: "Simulation", *, is_new: bool) -> "Dataset":
    """Train on history and put it in service; returns what was learned from."""
    last = past.transactions["occurred_at"][-1].as_py()
    dataset = training.assemble(History(past.transactions, past.labels, last))
    metrics = training.fit(dataset, OUT)
    console.say(
        f"[bold]Trained[/] average precision {metrics['average_precision']:.2f} on the newest quarter of history"
    )
    if is_new:
        backfill.backfill(target, dataset)
    before = deploy.last_rollout(target)
    with console.stderr().status("Deploying") as spinner:
        package = deploy.enlist(deploy.registry(target), OUT, approve=True)
        deploy.roll_out(target, package, spinner.update, before, by_event=True, every=LOOK_EVERY)
    console.say(f"[bold]In service[/] {package}")
    return dataset


def stream(target: Target, future: "Simulation", before: int) -> Streamed:
    """A first part at full speed, the rest at a pace; labels follow as they become known."""
    total = len(future.transactions)
    first_part = int(total * FULL_SPEED_SHARE)
    labels = Labels(target, future)
    rate = PACE * at_full_speed(target, future.transactions.slice(0, first_part), before)
    labels.send_until(future.transactions["occurred_at"][first_part].as_py())
    paced_since = time.time()
    at_pace(target, future.transactions.slice(first_part), rate, labels)
    outcomes.wait_until_settled(target, before + total)
    labels.send_until(datetime.now(UTC))
    outcomes.wait_until_labelled(target)
    console.say(f"[bold]Streamed[/] {total:,} transactions and {labels.sent:,} labels")
    return Streamed(future, first_part, paced_since)


def at_full_speed(target: Target, rows: "Table", before: int) -> float:
    """As fast as the stream accepts; decisions a second, the wait for the last of them included."""
    began = time.monotonic()
    with console.progress("Streaming at full speed", len(rows)) as meter:
        put(target, rows, Pace(), meter)
    outcomes.wait_until_settled(target, before + len(rows))
    return len(rows) / (time.monotonic() - began)


def at_pace(target: Target, rows: "Table", rate: float, labels: "Labels") -> None:
    """So many a second, each slice followed by the labels that became known meanwhile."""
    with console.progress(f"Streaming at {rate:,.0f}/s, with labels", len(rows)) as meter:
        for start, end in slices(len(rows)):
            put(target, rows.slice(start, end - start), Pace(rate), meter)
            labels.send_until(rows["occurred_at"][end - 1].as_py())


def slices(total: int) -> list[tuple[int, int]]:
    """Rows in SLICES parts, as (start, end)."""
    bounds = [total * part // SLICES for part in range(SLICES + 1)]
    return [(low, high) for low, high in pairwise(bounds) if low < high]


def put(target: Target, rows: "Table", pace: Pace, meter: console.Meter) -> None:
    """Put transactions to the stream."""
    from model.simulator import transaction_events

    records = map(sinks.transaction_record, transaction_events(rows))
    Producer(sinks.stream_sink(target), sinks.STREAM_LIMITS, pace, on_sent=meter.advance).send(records)


class Labels:
    """The labels of what is streamed, in the order they become known."""

    def __init__(self, target: Target, future: "Simulation") -> None:
        import pyarrow.compute as compute

        ids = future.transactions["transaction_id"].combine_chunks()
        self._left = future.labels.filter(compute.is_in(future.labels["transaction_id"], ids))
        self._producer = Producer(sinks.queue_sink(target), sinks.QUEUE_LIMITS)
        self.sent = 0

    def send_until(self, at: datetime) -> None:
        """Send what became known until then."""
        import pyarrow.compute as compute

        from model.simulator import label_events

        known = compute.sum(compute.less_equal(self._left["labelled_at"], at)).as_py() or 0
        due, self._left = self._left.slice(0, known), self._left.slice(known)
        self.sent += self._producer.send(map(sinks.label_record, label_events(due))).sent


def sum_up(target: Target, streamed: Streamed, quarantined_before: int) -> Summary:
    """Read everything back and hold it against the truth."""
    with console.working("Reading the decisions back"):
        rows = streamed.market.transactions
        ids, truth = rows["transaction_id"].to_pylist(), rows["is_fraud"].to_pylist()
        found = outcomes.outcomes(target, dict(zip(ids, truth, strict=True)))
        return summarise(
            sent=len(ids),
            quarantined=outcomes.quarantined(target) - quarantined_before,
            at_full_speed=_in_order(ids[: streamed.first_part], found),
            paced=_in_order(ids[streamed.first_part :], found),
            latency_ms=outcomes.scoring_metric(target, "DecisionLatency", streamed.paced_since),
            handler_ms=outcomes.scoring_metric(target, "ScoringDuration", streamed.paced_since),
            review_share=demo_report.REVIEW_SHARE,
        )


def _in_order(ids: list[str], found: dict[str, Outcome]) -> list[Outcome]:
    return [found[each] for each in ids if each in found]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.add_typer(rooms, name="demo")
