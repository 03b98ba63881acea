"""What a person sees of a plan and of a run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from verification import permissions, plan
from verification.ledger import Entry
from verification.probe import Answer, Probe, Verdict

COLOURS = {Verdict.CONFIRMED: "green", Verdict.DIFFERS: "red", Verdict.INCONCLUSIVE: "yellow"}
HOW_TO_SPEND = "make verify-aws ARGS='--yes-spend --account ID --region REGION'"


def show_plan(out: Console, probes: Sequence[Probe], left_out: Sequence[Probe], budget: float) -> None:
    """Questions, calls, price, duration, policy; and how it is run."""
    prices = plan.load_prices()
    for probe in probes:
        _show_probe(out, probe, plan.estimate([probe], prices))
    for probe in left_out:
        out.print(
            f"[yellow]left out[/] {probe.key}: with it, the estimate would exceed {budget:g} USD", highlight=False
        )
    whole = plan.estimate(probes, prices)
    out.print(
        f"\n[bold]{len(probes)} probes[/]: {whole.usd:.2f} USD and {whole.minutes / 60:.1f} hours at most, by list "
        f"prices of us-east-1 as of {plan.priced_on()}; what they share is made once.\n",
        highlight=False,
    )
    out.print("Policy of the identity that runs them:")
    out.print(json.dumps(permissions.policy(probes), indent=2), highlight=False, markup=False, soft_wrap=True)
    out.print(f"\nNothing was created. To ask an account, and spend:\n\n    {HOW_TO_SPEND}\n", highlight=False)


def _show_probe(out: Console, probe: Probe, alone: plan.Estimate) -> None:
    calls = sorted({*probe.calls, *(call for stage in probe.all_stages() for call in stage.calls)})
    out.print(f"\n[bold cyan]{probe.key}[/]  {probe.question}", highlight=False, soft_wrap=True)
    out.print(f"   takes to be so: {probe.assumption}", highlight=False, markup=False, soft_wrap=True)
    for place in probe.places:
        out.print(f"   relied upon in: {place.path}: {place.text}", highlight=False, markup=False, soft_wrap=True)
    out.print(f"   calls: {', '.join(calls)}", highlight=False, soft_wrap=True)
    out.print(f"   alone: {alone.usd:.2f} USD, {alone.minutes} minutes at most", highlight=False)


def show_answer(out: Console, probe: Probe, answer: Answer) -> None:
    """One line, and what was seen."""
    colour = COLOURS[answer.verdict]
    out.print(f"[bold]{probe.key}[/] [{colour}]{answer.verdict}[/] ", end="", highlight=False)
    out.print(answer.seen, highlight=False, markup=False, soft_wrap=True)


def show_left(out: Console, left: Sequence[Entry]) -> None:
    """What still stands after a clean-up."""
    for entry in left:
        out.print(f"[red]still stands[/] {entry.kind} {entry.name} in {entry.region}", highlight=False, soft_wrap=True)


def progress(out: Console) -> Progress:
    """A bar of probes with what is being waited for."""
    note: Any = TextColumn("[dim]{task.fields[note]}")
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        note,
        console=out,
    )
