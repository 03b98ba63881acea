"""`fraud demo rollout`: challengers, good and bad, on a stack with traffic; who is promoted, who is not, and why."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import console, demo, demo_challengers, deploy, outcomes, rollout_machine, rollout_record, sinks, tables
from cli.demo_challengers import Challenger
from cli.errors import CommandError
from cli.laptop_process import laptop
from cli.producer import Pace, Producer
from cli.status import served
from cli.target import Target, running_laptop

if TYPE_CHECKING:
    from pyarrow import Table

    from fraud.rollout import Rollout

PLAN: Mapping[str, Any] = {
    "steps_bps": [2_000, 5_000],
    "shadow_seconds": 5,
    "bake_seconds": 5,
    "soak_seconds": 5,
    "look_seconds": 1,
    "deadline_seconds": 240,
    "deploy_seconds": 120,
    "gates": {"transactions": 300, "latency_p99_ms": 300, "latency_ratio": 15},
}
"""Short bakes, and limits for a machine that does everything at once."""
TRANSACTIONS = 45_000
"""Simulated to stream: five minutes of them."""
RATE = 150.0
"""Transactions a second meanwhile; far below what the stack decides at full speed."""
LONGEST_STOP = 20.0
LOOK_EVERY = 0.5
LONGEST_ALARM = 150
"""Seconds until an alarm has recovered; it looks back a minute."""
FLOWING = 15.0
"""Seconds of traffic before the first rollout, whose preflight asks how much there is."""


@dataclass(frozen=True)
class Played:
    """What became of a challenger.

    Args:
        challenger: it.
        rollout: its record.
        seconds: from its registration until it was over.
        champion_kept: whether the endpoint that was the champion's at the start was left as it was all the time.
    """

    challenger: Challenger
    rollout: "Rollout"
    seconds: float
    champion_kept: bool

    @property
    def promoted(self) -> bool:
        """Whether it took over."""
        return self.rollout.stage == "promoted"

    @property
    def as_deserved(self) -> bool:
        """Whether it was promoted or verifiably rolled back as it should be, the champion's endpoint never updated."""
        kept = self.promoted or (self.rollout.verified and self.champion_kept)
        return kept and self.promoted == self.challenger.promoted


def play(template: Path, seed: int, as_json: bool) -> None:
    """Run it. Raises: CommandError when anything is lost, or a challenger is not treated as it deserves."""
    began = time.monotonic()
    demo.end_in_good_order()
    if running_laptop() is not None:
        raise CommandError("A stack runs here already, with a plan of its own: end it, and run this again.")
    with laptop(template, {"RolloutPlan": json.dumps(PLAN)}) as target:
        console.say(f"[bold]Stack[/] {target.stack_name} at {target.endpoint_url}")
        past, future = demo.draw(TRANSACTIONS, seed)
        dataset = demo.first_model(target, past, is_new=True)
        with console.working("Making challengers"):
            challengers = demo_challengers.challengers(dataset, demo.OUT)
        with traffic(target, future.transactions) as sent:
            with console.working("Letting payments flow"):
                time.sleep(FLOWING)
            played = [_play(target, each) for each in challengers]
        outcomes.wait_until_settled(target, sent())
        decided = outcomes.decided(target)
    tell(played, sent(), decided, time.monotonic() - began, as_json)


def _play(target: Target, challenger: Challenger) -> Played:
    """Register and approve it; the approval starts its rollout, which is followed to its end."""
    began, last = time.monotonic(), deploy.last_rollout(target)
    champion = _champion(target)
    before = _endpoint(target, champion)
    _wait_until_quiet(target)
    package = deploy.registry(target).register(challenger.archive, approved=True)
    console.say(f"\n[bold]A challenger that {challenger.title}[/] ({'/'.join(package.split('/')[-2:])})")
    rollout = deploy.begun(target, package, last, deploy.BEGINS_WITHIN, LOOK_EVERY)
    if rollout is None:
        raise CommandError(f"The approval of {package} started no rollout: {rollout_machine.last_word(target)}")
    told = 0
    for seen in rollout_record.looks(target, rollout.rollout_id, LOOK_EVERY):
        rollout = seen.rollout
        for event in rollout.events[told:]:
            console.say(f"  {event.sentence}")
        told = len(rollout.events)
    kept = rollout.stage == "promoted" or _endpoint(target, champion) == before
    return Played(challenger, rollout, time.monotonic() - began, kept)


def _wait_until_quiet(target: Target) -> None:
    """Wait until no alarm of a slot is in ALARM any more: a rollout would be refused. Raises: CommandError."""
    cloudwatch, prefix = target.client("cloudwatch"), f"{target.stack_name}-slot-"
    with console.working("Waiting until the alarms are quiet"):
        for _ in range(LONGEST_ALARM):
            time.sleep(1)
            if not cloudwatch.describe_alarms(AlarmNamePrefix=prefix, StateValue="ALARM")["MetricAlarms"]:
                return
    raise CommandError("An alarm of a slot stays in ALARM: see `fraud status`.")


def _champion(target: Target) -> str:
    """Slot of the champion."""
    routing = tables.get(target, rollout_record.TABLE, {"pk": "routing", "sk": "routing"})
    return str(served(routing)["champion"])


def _endpoint(target: Target, slot: str) -> tuple[Any, ...]:
    """What changes of a slot's endpoint with every update of it."""
    name = target.output(f"EndpointSlot{slot.upper()}")
    endpoint = target.client("sagemaker").describe_endpoint(EndpointName=name)
    return endpoint["EndpointConfigName"], endpoint["CreationTime"], endpoint["LastModifiedTime"]


@contextmanager
def traffic(target: Target, rows: "Table") -> Iterator[Callable[[], int]]:
    """Payments at a steady rate while the block runs; gives what tells how many were put."""
    from model.simulator import transaction_events

    stop, sent, failures = threading.Event(), [0], []

    def count(records: int) -> None:
        sent[0] += records

    def flow() -> None:
        events = takewhile(lambda _: not stop.is_set(), transaction_events(rows))
        # Small requests: the producer looks a few of them ahead, and what it has seen it sends.
        producer = Producer(
            sinks.stream_sink(target), replace(sinks.STREAM_LIMITS, records=25), Pace(RATE), on_sent=count
        )
        try:
            producer.send(map(sinks.transaction_record, events))
        except Exception as error:  # noqa: BLE001 - told in the thread that waits for this one
            failures.append(error)

    thread = threading.Thread(target=flow, name="traffic", daemon=True)
    thread.start()
    try:
        yield lambda: sent[0]
    finally:
        stop.set()
        thread.join(LONGEST_STOP)
    if failures:
        raise failures[0]


def tell(played: list[Played], sent: int, decided: int, seconds: float, as_json: bool) -> None:
    """What it came to. Raises: CommandError when it is not as it should be."""
    if as_json:
        console.write_json(
            {"challengers": list(map(as_row, played)), "sent": sent, "decided": decided, "seconds": seconds}
        )
    else:
        show(played, sent, decided, seconds)
    wrong = [each.challenger.title for each in played if not each.as_deserved]
    if wrong:
        raise CommandError(f"Not treated as it deserves: a challenger that {'; that '.join(wrong)}.")
    if sent != decided:
        raise CommandError(f"{sent:,} transactions were put and {decided:,} decided: that is a bug.")


def as_row(each: Played) -> dict[str, Any]:
    """For programs."""
    return {
        "challenger": each.challenger.title,
        "outcome": str(each.rollout.stage),
        "reason": each.rollout.reason,
        "share_reached_bps": rollout_record.share_reached(each.rollout),
        "verified": each.rollout.verified,
        "champion_kept": each.champion_kept,
        "seconds": round(each.seconds, 1),
    }


def show(played: list[Played], sent: int, decided: int, seconds: float) -> None:
    """For people."""
    out = console.stdout()
    out.print()
    for each in played:
        mark = "[green]✔ promoted[/]" if each.promoted else "[red]✖ rolled back[/]"
        share = rollout_record.share_reached(each.rollout) / 100
        out.print(f"{mark}  a challenger that {each.challenger.title}, at {share:g} %, {each.seconds:,.0f} s")
        if each.rollout.reason:
            out.print(f"   [dim]{each.rollout.reason}[/]", highlight=False)
    facts = {
        "sent": f"{sent:,}",
        "decided": f"{decided:,}",
        "the champion's endpoint": "never updated" if all(each.champion_kept for each in played) else "UPDATED",
        "the whole demonstration": f"{seconds:,.0f} s",
    }
    out.print(console.table_of("Meanwhile", facts))
