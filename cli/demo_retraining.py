"""`fraud demo retraining`: fraud changes, verdicts come back, a model that knows it is learned and takes over."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import (
    console,
    demo,
    demo_rollout,
    deploy,
    machine,
    model_versions,
    outcomes,
    retraining_record,
    rollout_record,
)
from cli.errors import CommandError
from cli.laptop_process import laptop
from cli.models import interval
from cli.producer import Pace
from cli.simulation import PER_DAY
from cli.target import LOCAL_FILE, Target, running_laptop

if TYPE_CHECKING:
    from fraud.retraining import Retraining
    from fraud.rollout import Rollout
    from model.simulator import Simulation

HISTORY_DAYS, STREAMED_DAYS, LIVE_DAYS = 28, 14, 6
"""Learned from before anything is served, streamed in the changed world, and left for the traffic of the rollout."""
CARDS = 2_000
AMOUNTS_FALL_TO = 0.2
"""What was unusual is no more, and the other way round."""
LABELS_KNOWN_AFTER = timedelta(days=8)
ROLLOUT_PLAN: Mapping[str, Any] = {
    **demo_rollout.PLAN,
    "steps_bps": [5_000],
    "gates": {**demo_rollout.PLAN["gates"], "block_rate_increase": 0.05, "review_rate_increase": 0.08},
}
"""Two models that learned from different worlds block and review differently; a few thousand transactions must tell."""
ARCHIVED_WITHIN = 7.0
"""Seconds until the archive's last buffer is written here; a minute on AWS."""
LOOK_EVERY = 0.5
REPORT = LOCAL_FILE.parent / "demo-retraining.html"


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Args:
        record: of the retraining.
        gains: of the candidate over the champion, by metric; empty without an evaluation.
        rollout: of the candidate; None when none began.
        seconds: of the retraining alone.
    """

    record: "Retraining"
    gains: Mapping[str, Mapping[str, float]]
    rollout: "Rollout | None"
    seconds: float


def play(template: Path, seed: int, as_json: bool) -> None:
    """Run it. Raises: CommandError when the new model is not better, does not take over, or anything is lost."""
    began = time.monotonic()
    demo.end_in_good_order()
    if running_laptop() is not None:
        raise CommandError("A stack runs here already, with a plan of its own: end it, and run this again.")
    with laptop(template, {"RolloutPlan": json.dumps(ROLLOUT_PLAN)}) as target:
        console.say(f"[bold]Stack[/] {target.stack_name} at {target.endpoint_url}")
        past, weeks, live = draw(seed)
        demo.first_model(target, past, is_new=True)
        stream(target, weeks)
        with demo_rollout.traffic(target, live.transactions) as sent:
            outcome = retrain(target)
        expected = len(weeks.transactions) + sent()
        outcomes.wait_until_settled(target, expected)
        decided = outcomes.decided(target)
    tell(outcome, expected, decided, time.monotonic() - began, as_json)


def draw(seed: int) -> "tuple[Simulation, Simulation, Simulation]":
    """A market that changes as streaming begins, in amounts and in fraud: what was before, two weeks, what follows."""
    from model.simulator import Drift, Simulation, SimulationConfig, simulate

    days = HISTORY_DAYS + STREAMED_DAYS + LIVE_DAYS
    end = (datetime.now(UTC) - LABELS_KNOWN_AFTER).replace(hour=0, minute=0, second=0, microsecond=0)
    start = end - timedelta(days=days)
    config = SimulationConfig(
        seed=seed,
        start=start,
        days=days,
        cards=CARDS,
        terminals=2 * CARDS,
        transactions_per_day=PER_DAY,
        drift=Drift(HISTORY_DAYS, amount_scale=AMOUNTS_FALL_TO, new_pattern=True),
    )
    with console.working("Simulating a market"):
        past, rest = simulate(config).cut(start + timedelta(days=HISTORY_DAYS))
        weeks, live = rest.cut(start + timedelta(days=HISTORY_DAYS + STREAMED_DAYS))
        # Of those two weeks much becomes known only afterwards.
        weeks = Simulation(weeks.transactions, rest.labels)
    console.say(
        f"[bold]Simulated[/] {len(past.transactions):,} transactions to learn from, and two weeks of "
        f"{len(weeks.transactions):,} in which amounts fall to a fifth and a new kind of fraud appears, seed {seed}"
    )
    return past, weeks, live


def stream(target: Target, weeks: "Simulation") -> None:
    """Day by day: payments, then the verdicts that became known."""
    labels = demo.Labels(target, weeks)
    done = 0
    with console.progress("Streaming two weeks, with labels", len(weeks.transactions)) as meter:
        for start, end in days(weeks):
            demo.put(target, weeks.transactions.slice(start, end - start), Pace(), meter)
            done = end
            settle(target, done)
            labels.send_until(weeks.transactions["occurred_at"][end - 1].as_py())
    labels.send_until(datetime.now(UTC))
    outcomes.wait_until_labelled(target)
    with console.working("Waiting for the archive"):
        time.sleep(ARCHIVED_WITHIN)
    console.say(f"[bold]Streamed[/] {done:,} transactions and {labels.sent:,} labels")


def days(weeks: "Simulation") -> Iterator[tuple[int, int]]:
    """First row of each day, and of the next."""
    import numpy as np
    import pyarrow as pa

    day = weeks.transactions["occurred_at"].cast(pa.int64()).to_numpy() // 86_400_000
    bounds = [0, *(np.flatnonzero(np.diff(day)) + 1).tolist(), len(day)]
    return ((low, high) for low, high in pairwise(bounds) if high > low)


def settle(target: Target, expected: int) -> None:
    """Wait until so many are decided: a day's payments are behind terminals before the next day asks about them."""
    while outcomes.decided(target) + outcomes.quarantined(target) < expected:
        time.sleep(LOOK_EVERY / 2)


def retrain(target: Target) -> Outcome:
    """Start the machine as a person in the console does, with `{}`, and follow what it leads to."""
    began, before = time.monotonic(), deploy.last_rollout(target)
    name, execution = machine.begin(target, retraining_record.MACHINE, "retraining", {})
    console.say("\n[bold]Retraining[/]")
    record: Retraining | None = None
    told = 0
    for record in retraining_record.looks(target, name, execution, LOOK_EVERY):
        for event in record.events[told:] if record else ():
            console.say(f"  {event.sentence}")
            told += 1
    seconds = time.monotonic() - began
    if record is None or record.outcome in ("failed", "unfit", "abandoned", None):
        raise CommandError(f"The retraining came to nothing: {machine.last_word(target, retraining_record.MACHINE)}")
    if not record.model_package:
        return Outcome(record, {}, None, seconds)
    version = model_versions.look(target, record.model_package)
    REPORT.write_text(version.text("report_uri"), encoding="utf-8")
    rollout = follow(target, record.model_package, before) if version.approval == "approved" else None
    return Outcome(record, version.evaluation.get("gains", {}), rollout, seconds)


def follow(target: Target, package: str, before: str | None) -> "Rollout | None":
    """The rollout that the approval started, to its end."""
    rollout = deploy.begun(target, package, before, deploy.BEGINS_WITHIN, LOOK_EVERY)
    if rollout is None:
        return None
    console.say("\n[bold]Rollout[/]")
    told = 0
    for seen in rollout_record.looks(target, rollout.rollout_id, LOOK_EVERY):
        rollout = seen.rollout
        for event in rollout.events[told:]:
            console.say(f"  {event.sentence}")
        told = len(rollout.events)
    return rollout


def tell(outcome: Outcome, sent: int, decided: int, seconds: float, as_json: bool) -> None:
    """What it came to. Raises: CommandError when it is not as it should be."""
    promoted = outcome.rollout is not None and outcome.rollout.stage == "promoted"
    if as_json:
        console.write_json(
            {
                "outcome": str(outcome.record.outcome),
                "sentence": outcome.record.sentence,
                "model_package": outcome.record.model_package,
                "gains": outcome.gains,
                "promoted": promoted,
                "retraining_seconds": outcome.seconds,
                "sent": sent,
                "decided": decided,
                "seconds": seconds,
            }
        )
    else:
        show(outcome, promoted, sent, decided, seconds)
    if not promoted:
        raise CommandError(f"The new model did not take over: {outcome.record.sentence}")
    if sent != decided:
        raise CommandError(f"{sent:,} transactions were put and {decided:,} decided: that is a bug.")


def show(outcome: Outcome, promoted: bool, sent: int, decided: int, seconds: float) -> None:
    """For people."""
    facts = {
        "the candidate": outcome.record.sentence,
        "gain in average precision": interval(outcome.gains.get("average_precision")),
        "its rollout": "promoted" if promoted else "not promoted",
        "retraining": f"{outcome.seconds:,.0f} s",
        "sent": f"{sent:,}",
        "decided": f"{decided:,}",
        "the whole demonstration": f"{seconds:,.0f} s",
    }
    console.stdout().print()
    console.stdout().print(console.table_of("What it came to", facts))
    console.say(f"Report, candidate against champion: {REPORT.resolve()}")
