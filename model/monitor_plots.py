"""The plots of a look at a window, drawn as SVG text that stands inside a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np

from model.baseline_document import Distribution
from model.plots import COLOURS, GENUINE, SIZE, STYLE, as_svg, drawing

WIDTH = 0.4


def distribution(baseline: Distribution, seen: Mapping[str, Sequence[int]], across: str) -> str:
    """Shares of rows by bin: of the baseline, and of each model's window."""
    bins = len(baseline.counts)
    series = {"baseline": baseline.counts, **seen}
    width = 2 * WIDTH / len(series)
    with mpl.rc_context(STYLE):
        figure, axes = drawing(across, "share of rows, %")
        for number, (name, counts) in enumerate(series.items()):
            places = np.arange(bins) - WIDTH + (number + 0.5) * width
            colour = GENUINE if not number else COLOURS[number - 1]
            axes.bar(places, _percent(counts), width, color=colour, label=f"{name}: {sum(counts):,}")
        axes.set_xticks(np.arange(bins), _bins(baseline.edges), rotation=45, ha="right", fontsize=7)
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside upper center", ncols=len(series))
        return as_svg(figure, f"{across}, baseline and window")


def shares(series: Mapping[str, Mapping[str, float]], names: Sequence[str]) -> str:
    """How often each thing happened, 0 to 1, side by side for the baseline and every model."""
    width = 2 * WIDTH / max(len(series), 1)
    with mpl.rc_context(STYLE):
        figure, axes = drawing("", "share of decisions, %")
        for number, (name, values) in enumerate(series.items()):
            places = np.arange(len(names)) - WIDTH + (number + 0.5) * width
            heights = [100 * values.get(each, 0.0) for each in names]
            bars = axes.bar(places, heights, width, color=(GENUINE, *COLOURS)[number % 8], label=name)
            axes.bar_label(bars, [f"{height:.2f}" for height in heights], fontsize=6.5)
        axes.set_xticks(np.arange(len(names)), names)
        axes.grid(visible=False, axis="x")
        figure.legend(loc="outside upper center", ncols=max(len(series), 1))
        return as_svg(figure, "shares of decisions")


def maturity(known_after: Mapping[str, float]) -> str:
    """Share of the known frauds that were known after so many days."""
    days = sorted(known_after, key=int)
    with mpl.rc_context(STYLE):
        figure, axes = drawing("days after the transaction", "known, share of frauds known by now, %", SIZE)
        axes.step(
            [0, *map(int, days)], [0, *(100 * known_after[each] for each in days)], color=COLOURS[0], where="post"
        )
        axes.set(ylim=(0, 102), xlim=(0, None))
        return as_svg(figure, "how soon frauds are known")


def _percent(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [100 * count / total if total else 0.0 for count in counts]


def _bins(edges: Sequence[float]) -> list[str]:
    """A bin by its upper end, which belongs to it."""
    return [*(f"≤ {edge:.6g}" for edge in edges), f"> {edges[-1]:.6g}" if edges else "all"]
