"""What a run would do, in which time, and what it would cost at most."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from local.children import ROOT
from verification.errors import Refused
from verification.probe import Probe, Stage, Term

PRICES = ROOT / "docs" / "prices.json"
CLEAN_UP_MINUTES = 30

Prices = Mapping[str, float]
"""USD for a unit."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """At the longest that everything may take, and as if nothing were removed before the end.

    Args:
        usd: at list prices of us-east-1.
        minutes: clean-up included.
    """

    usd: float
    minutes: int


def load_prices() -> Prices:
    """List prices, and when they were read, by the project's table of them."""
    document = json.loads(PRICES.read_text(encoding="utf-8"))
    return {name: each["usd"] / each["per"] for name, each in document["prices"].items()}


def priced_on() -> str:
    """The oldest date of a price."""
    document = json.loads(PRICES.read_text(encoding="utf-8"))
    return str(min(each["as_of"] for each in document["prices"].values()))


def chosen(probes: Sequence[Probe], only: Iterable[str]) -> list[Probe]:
    """Those of the keys, all without any, in the order of asking.

    Raises:
        Refused: no such key.
    """
    wanted = set(only)
    unknown = wanted - {each.key for each in probes}
    if unknown:
        keys = ", ".join(each.key for each in probes)
        raise Refused(f"there is no probe {', '.join(sorted(unknown))}: choose of {keys}")
    return [each for each in probes if not wanted or each.key in wanted]


def estimate(probes: Sequence[Probe], prices: Prices) -> Estimate:
    """Of a run of these, one after another."""
    elapsed, parts = 0, list[tuple[int, Sequence[Term]]]()
    made: set[Stage] = set()
    for probe in probes:
        for stage in probe.all_stages():
            if stage not in made:
                made.add(stage)
                parts.append((elapsed, stage.terms))
                elapsed += stage.minutes
        parts.append((elapsed, probe.terms))
        elapsed += probe.minutes
    end = elapsed + CLEAN_UP_MINUTES if probes else 0
    usd = sum(_usd(term, (end - begun) / 60, prices) for begun, terms in parts for term in terms)
    return Estimate(usd, end)


def within(probes: Sequence[Probe], budget: float, prices: Prices) -> tuple[list[Probe], list[Probe]]:
    """Those that fit into a budget together, and those that do not."""
    fit: list[Probe] = []
    for probe in probes:
        if estimate([*fit, probe], prices).usd <= budget:
            fit.append(probe)
    return fit, [each for each in probes if each not in fit]


def _usd(term: Term, hours: float, prices: Prices) -> float:
    return prices[term.price] * term.units * (hours if term.hourly else 1)
