"""The plots of a report, drawn as SVG text that stands inside a page."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model import metrics
from model.boosting import Flags, Scores
from model.metrics import Integers

COLOURS = ("#2563eb", "#0d9488", "#d97706", "#9333ea", "#dc2626", "#4b5563", "#65a30d", "#0891b2")
GENUINE, FRAUD, GAIN, FAINT = "#64748b", "#dc2626", "#0d9488", "#cbd5e1"
SIZE, WIDE = (5.2, 3.6), (5.2, 4.4)
MOST_FEATURES = 20
EFFECT_INCHES = 0.2
CURVE_POINTS = 400
SCORE_BINS = 40
STYLE: Any = {
    # Without it every drawing has other ids; text stays text, which is smaller and can be searched.
    "svg.hashsalt": "report",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GENUINE,
    "axes.grid": True,
    "grid.color": "#e2e8f0",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@dataclass(frozen=True, slots=True)
class Scored:
    """Rows that a model did not learn from, under a name for the legend."""

    name: str
    is_fraud: Flags
    scores: Scores


@dataclass(frozen=True, slots=True)
class Effect:
    """A difference and the ends of its interval, under a name."""

    name: str
    difference: float
    low: float
    high: float


def precision_recall(parts: Sequence[Scored]) -> str:
    """One curve per part, its average precision in the legend."""
    with mpl.rc_context(STYLE):
        figure, axes = drawing("recall: share of frauds found", "precision: share of alerts that are fraud")
        for part, colour in zip(parts, _colours(len(parts)), strict=True):
            ranking = metrics.rank(part.is_fraud, part.scores)
            shown = _thinned(len(ranking.levels))
            label = f"{part.name}: {metrics.average_precision(ranking):.3f}"
            axes.plot(ranking.recall[shown], ranking.precision[shown], color=colour, linewidth=1.4, label=label)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(title="average precision", loc="lower left")
        return as_svg(figure, "precision over recall")


def calibration(parts: Sequence[Scored]) -> str:
    """Share of frauds over the mean score of each bin; a point is larger the more rows it stands for."""
    with mpl.rc_context(STYLE):
        figure, axes = drawing("mean score", "share of frauds")
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--", zorder=1)
        for part, colour in zip(parts, _colours(len(parts)), strict=True):
            found = metrics.calibration(part.is_fraud, part.scores)
            label = f"{part.name}: {metrics.calibration_error(found):.4f}"
            axes.plot(found.score, found.fraud_share, color=colour, linewidth=1, alpha=0.7)
            sizes = 4 + 6 * np.log10(found.rows)
            axes.scatter(found.score, found.fraud_share, s=sizes, color=colour, label=label, zorder=2)
        axes.set(xlim=(0, 1), ylim=(0, 1.02))
        axes.legend(title="expected calibration error", loc="upper left")
        return as_svg(figure, "share of frauds over score")


def score_distribution(parts: Sequence[Scored], lines: Mapping[str, float]) -> str:
    """Rows by score, genuine and fraud, on a logarithmic scale; thresholds as lines."""
    is_fraud = np.concatenate([part.is_fraud for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    edges = np.linspace(0, 1, SCORE_BINS + 1).tolist()
    with mpl.rc_context(STYLE):
        figure, axes = drawing("score", "transactions")
        axes.hist(scores[~is_fraud], edges, color=GENUINE, alpha=0.55, label=f"{int((~is_fraud).sum()):,} genuine")
        axes.hist(scores[is_fraud], edges, color=FRAUD, alpha=0.6, label=f"{int(is_fraud.sum()):,} frauds")
        for name, at in lines.items():
            axes.axvline(at, color="#0f172a", linewidth=1, linestyle=":")
            axes.annotate(name, (at, 0.99), xycoords=("data", "axes fraction"), rotation=90, va="top", ha="right")
        axes.set(yscale="log", xlim=(0, 1))
        figure.legend(loc="outside upper center", ncols=2)
        return as_svg(figure, "transactions by score")


def importance(shares: Mapping[str, float]) -> str:
    """The features that gained most, as bars."""
    top = sorted(shares.items(), key=lambda each: -each[1])[:MOST_FEATURES][::-1]
    with mpl.rc_context(STYLE):
        figure, axes = drawing("share of what all splits gained, %", "", WIDE)
        axes.barh([name for name, _ in top], [100 * share for _, share in top], color=COLOURS[0], height=0.7)
        axes.tick_params(axis="y", length=0, labelsize=7.5)
        axes.grid(visible=False, axis="y")
        return as_svg(figure, "features by share of gain")


def forest(effects: Sequence[Effect], across: str) -> str:
    """Differences with their intervals, the first on top; proven gains and losses in colour."""
    with mpl.rc_context(STYLE):
        figure, axes = drawing(across, "", (SIZE[0], max(SIZE[1], 0.9 + EFFECT_INCHES * len(effects))))
        axes.axvline(0, color="#0f172a", linewidth=0.8)
        for row, effect in enumerate(effects):
            colour = GAIN if effect.low > 0 else FRAUD if effect.high < 0 else GENUINE
            axes.plot([effect.low, effect.high], [row, row], color=colour, linewidth=1.6, solid_capstyle="round")
            axes.plot(effect.difference, row, color=colour, marker="o", markersize=4.5)
        axes.set_yticks(range(len(effects)), [effect.name for effect in effects])
        axes.set_ylim(len(effects) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0, labelsize=7.5)
        axes.grid(visible=False, axis="y")
        return as_svg(figure, "differences with their intervals")


def drawing(across: str, up: str, size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """An empty drawing with the names of its axes; call it where `STYLE` is in force."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=across, ylabel=up)
    return figure, axes


def _colours(count: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(count)]


def _thinned(points: int) -> Integers:
    """Positions of a few hundred of so many points, the first and the last among them, closest where a curve begins."""
    return np.unique(np.concatenate([[0], np.geomspace(1, points, CURVE_POINTS).astype(np.int64) - 1, [points - 1]]))


def as_svg(figure: Figure, what: str) -> str:
    """The drawing as an element of a page, with a name for those who do not see it."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    return svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{what}"', 1).strip()
