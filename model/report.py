"""A report as one HTML page that needs nothing else: what a model promises, in numbers and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from string import Template

from model import plots
from model.plots import Scored

_PAGE = Template(Path(__file__).with_name("report.html").read_text(encoding="utf-8"))
_DECIMALS = 4
_LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Table:
    """Numbers under a title; a missing cell is shown as a dash."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """What any report shows.

    Args:
        title: of the page.
        summary: what was measured, in a sentence or two.
        highlights: the few numbers to see first, under each what it is.
        figures: SVG by title.
        tables: below the plots.
        first: above the plots, for what must not be missed.
    """

    title: str
    summary: str
    highlights: Mapping[str, object]
    figures: Mapping[str, str]
    tables: Sequence[Table]
    first: Sequence[Table] = ()


@dataclass(frozen=True, slots=True)
class ReportData:
    """What the report of one model shows.

    Args:
        title: of the page.
        summary: what was measured, in a sentence or two.
        highlights: the few numbers to see first.
        parts: rows that no model learned from, such as the test days of each fold; one curve for each.
        tables: below the plots.
        importance: share of every feature in the gain.
        lines: thresholds by name.
    """

    title: str
    summary: str
    highlights: Mapping[str, object]
    parts: Sequence[Scored]
    tables: Sequence[Table]
    importance: Mapping[str, float]
    lines: Mapping[str, float] = field(default_factory=dict)


def render(data: ReportData) -> str:
    """The page."""
    figures = {
        "Precision and recall": plots.precision_recall(data.parts),
        "Calibration": plots.calibration(data.parts),
        "Scores": plots.score_distribution(data.parts, data.lines),
        "What the model looks at": plots.importance(data.importance),
    }
    return render_page(Page(data.title, data.summary, data.highlights, figures, data.tables))


def render_page(page: Page) -> str:
    """HTML that needs nothing else."""
    return _PAGE.substitute(
        title=escape(page.title),
        summary=escape(page.summary),
        highlights="".join(_highlight(name, value) for name, value in page.highlights.items()),
        first="".join(map(_table, page.first)),
        figures="".join(f"<figure><h2>{escape(title)}</h2>{svg}</figure>" for title, svg in page.figures.items()),
        tables="".join(map(_table, page.tables)),
    )


def _highlight(name: str, value: object) -> str:
    return f"<div><strong>{_cell(value)}</strong><span>{escape(name)}</span></div>"


def _table(table: Table) -> str:
    header = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    rows = "".join("<tr>" + "".join(map(_td, row)) + "</tr>" for row in table.rows)
    note = f"<p>{escape(table.note)}</p>" if table.note else ""
    body = f"<table><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>"
    return f"<section><h2>{escape(table.title)}</h2><div class=scroll>{body}</div>{note}</section>"


def _td(value: object) -> str:
    # Sentences are broken over lines, numbers and names are not.
    kind = " class=words" if isinstance(value, str) and len(value) > _LONGEST_NAME else ""
    return f"<td{kind}>{_cell(value)}</td>"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.{_DECIMALS}f}"
    return f"{value:,}" if isinstance(value, int) else escape(str(value))
