"""The dashboard of template.yaml: its body as CloudWatch gets it, and a picture of its layout.

`python -m checks.dashboard FILE` draws it as SVG.
"""

from __future__ import annotations

import json
import re
import sys
import textwrap
from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any

from checks.translation import read_template

STACK, REGION = "fraud-detection", "eu-central-1"
COLUMN, ROW = 40, 16
"""Pixels of a unit of the dashboard's grid."""
COLOURS = {"text": "#eef2f7", "alarm": "#fde7e7", "metric": "#ffffff", "log": "#f3f7ee"}
GRAPH = "#5b7fb5"
FONT = "font-family='Helvetica, Arial, sans-serif'"
MOST_LEGENDS = 4
WIDEST_LETTER = 5
"""Pixels, in the size of a legend."""

Widget = dict[str, Any]
Row = tuple[list[str], dict[str, Any]]


def widgets() -> list[Widget]:
    """Every widget; what refers to a resource is its logical id in angle brackets."""
    text, variables = read_template()["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    values = {"AWS::StackName": STACK, "AWS::Region": REGION}
    found: list[Widget] = json.loads(_substituted(text, values | {n: _value(v) for n, v in variables.items()}))[
        "widgets"
    ]
    return found


def rows(widget: Widget) -> list[Row]:
    """What a graph shows: namespace, metric and dimensions, with options; an expression has options only."""
    given = widget["properties"].get("metrics", [])
    return [(row[:-1], row[-1]) if isinstance(row[-1], dict) else (row, {}) for row in given]


def reference(part: dict[str, Any]) -> str:
    """The logical id that an intrinsic function names, in angle brackets, under a condition or not."""
    match part:
        case {"Fn::If": [_, there, {"Ref": "AWS::NoValue"}]}:
            return reference(there)
        case {"Fn::GetAtt": [name, attribute]}:
            return f"<{name}.{attribute}>"
        case {"Ref": name}:
            return f"<{name}>"
    raise ValueError(f"no reference: {part}")


def _value(variable: dict[str, Any] | str) -> str:
    match variable:
        case str(text):
            return text
        case {"Fn::Sub": str(text)}:
            return _substituted(text, {"AWS::StackName": STACK})
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(reference, parts))
    return "1"  # the number of shards, which the profile decides


def _substituted(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$\{([\w:.]+)\}", lambda match: values.get(match[1], f"<{match[1]}>"), text)


def picture() -> str:
    """The layout as SVG."""
    found = widgets()
    width = COLUMN * max(each["x"] + each["width"] for each in found)
    height = ROW * max(each["y"] + each["height"] for each in found)
    size = f"viewBox='0 0 {width} {height}' width='{width}' height='{height}'"
    background = f"<rect width='{width}' height='{height}' fill='#dfe5ec'/>"
    drawn = [line for each in found for line in _drawn(each)]
    title = "<title>Layout of the dashboard</title>"
    return "\n".join(
        [f"<svg xmlns='http://www.w3.org/2000/svg' {size} {FONT}>", title, background, *drawn, "</svg>", ""]
    )


def _drawn(widget: Widget) -> Iterator[str]:
    x, y = widget["x"] * COLUMN + 2, widget["y"] * ROW + 2
    width, height = widget["width"] * COLUMN - 4, widget["height"] * ROW - 4
    colour = COLOURS[widget["type"]]
    yield f"<rect x='{x}' y='{y}' width='{width}' height='{height}' rx='3' fill='{colour}' stroke='#b9c4d0'/>"
    yield f"<text x='{x + 6}' y='{y + 15}' font-size='11' font-weight='bold'>{escape(_title(widget))}</text>"
    if widget["type"] != "metric":
        return
    graph = f"M{x + 6},{y + height - 14} h{width - 12}"
    yield f"<path d='{graph}' stroke='{GRAPH}' stroke-dasharray='2 3' fill='none'/>"
    for number, line in enumerate(textwrap.wrap(_legend(widget), width // WIDEST_LETTER)):
        yield f"<text x='{x + 6}' y='{y + 30 + 11 * number}' font-size='9' fill='#51606f'>{escape(line)}</text>"


def _title(widget: Widget) -> str:
    properties = widget["properties"]
    return str(properties["title"]) if "title" in properties else properties["markdown"].splitlines()[0].lstrip("# ")


def _legend(widget: Widget) -> str:
    shown = [options["label"] for _, options in rows(widget) if "label" in options]
    more = ["…"] if len(shown) > MOST_LEGENDS else []
    return ", ".join(shown[:MOST_LEGENDS] + more)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(), encoding="utf-8")
