"""What was found, for programs in JSON and for docs/verify-aws.md in Markdown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from verification.probe import Answer, Place, Probe, Verdict

NOT_RUN = Answer(Verdict.NOT_RUN, "")
BEGIN, END = "<!-- points -->", "<!-- /points -->"

Answers = Mapping[str, Answer]
"""By the keys of probes."""


def document(probes: Sequence[Probe], found: Answers, *, region: str, at: str) -> dict[str, Any]:
    """All that is known of each point; the account is not named."""
    points = [
        {
            "key": probe.key,
            "question": probe.question,
            "assumption": probe.assumption,
            "places": [{"path": each.path, "text": each.text} for each in probe.places],
            "verdict": found.get(probe.key, NOT_RUN).verdict,
            "seen": found.get(probe.key, NOT_RUN).seen,
        }
        for probe in probes
    ]
    return {"region": region, "at": at, "points": points}


def table(probes: Sequence[Probe], found: Answers, prices: Mapping[str, float]) -> str:
    """A row for each point, linked from docs/.

    Args:
        probes: of all points.
        found: what is known of them.
        prices: USD at most for each alone, by key.
    """
    rows = [
        "| point | question | what the project takes to be so | relied upon in | USD, alone, at most | status |",
        "| --- | --- | --- | --- | ---: | --- |",
    ]
    rows += [_row(probe, found.get(probe.key, NOT_RUN), prices[probe.key]) for probe in probes]
    return "\n".join(rows)


def write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def save(directory: Path, report: Mapping[str, Any], markdown: str) -> None:
    """Both forms, whole or as before."""
    write(directory / "verify-aws.json", json.dumps(report, indent=2) + "\n")
    write(directory / "verify-aws.md", f"{BEGIN}\n{markdown}\n{END}\n")


def _row(probe: Probe, answer: Answer, usd: float) -> str:
    places = ", ".join(dict.fromkeys(_link(each) for each in probe.places))
    status = f"**{answer.verdict}**: {_escaped(answer.seen)}" if answer.seen else str(answer.verdict)
    cells = (probe.key, probe.question, _escaped(probe.assumption), places, f"{usd:.2f}", status)
    return f"| {' | '.join(cells)} |"


def _link(place: Place) -> str:
    """Pages of docs/ are linked from their own directory."""
    target = place.path.removeprefix("docs/") if place.path.startswith("docs/") else f"../{place.path}"
    return f"[`{Path(place.path).name}`]({target})"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
