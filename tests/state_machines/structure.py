"""What can be told of a machine by its structure: where its states lead, and what is there when they are entered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from state_machines.definition import targets
from tests.state_machines.committed import Machine

State = dict[str, Any]


def reachable(states: Mapping[str, State], start: str) -> set[str]:
    found: set[str] = set()
    left = {start}
    while left:
        name = left.pop()
        found.add(name)
        left |= set(targets(states[name])) - found
    return found


def caught(state: State) -> dict[str, str]:
    """Where errors lead, by their names."""
    return {error: catch["Next"] for catch in state["Catch"] for error in catch["ErrorEquals"]}


def is_lambda(state: State) -> bool:
    return state["Type"] == "Task" and "lambda:invoke" in state["Resource"]


def read(value: Any, field: str = "") -> Iterator[str]:
    """Paths that a state reads of its input, without `$.`; what it selects of a result is not among them."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key not in ("ResultSelector", "ResultPath", "Catch"):
                yield from read(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from read(each)
    elif isinstance(value, str) and (field.endswith((".$", "Path")) or field == "Variable"):
        yield from re.findall(r"(?<!\$)\$\.([a-z_.]+)", value)


def roots(state: State) -> set[str]:
    """What a state reads of its input, by the first name of each path."""
    return {path.partition(".")[0] for path in read(state)}


def _edges(state: State, known: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    """Where a state leads, and what is known there: a function's answer replaces all, an error adds to what was."""
    for catch in state.get("Catch", []):
        yield catch["Next"], known | {catch["ResultPath"].removeprefix("$.")}
    if is_lambda(state):
        known = frozenset(state["ResultSelector"])
    elif state["Type"] == "Pass":
        known |= {state["ResultPath"].removeprefix("$.")}
    plain = {field: value for field, value in state.items() if field != "Catch"}
    yield from ((target, known) for target in targets(plain))


def known_everywhere(machine: Machine) -> dict[str, frozenset[str]]:
    """What is certain to be there when a state is entered, whichever way."""
    known = {machine["StartAt"]: frozenset[str]()}
    left = [machine["StartAt"]]
    while left:
        name = left.pop()
        for target, there in _edges(machine["States"][name], known[name]):
            certain = known.get(target, there) & there
            if certain != known.get(target):
                known[target] = certain
                left.append(target)
    return known


def inputs(job: State) -> dict[str, str]:
    """Where a processing job that is asked for finds what it reads: addresses by folders."""
    return {each["S3Input"]["LocalPath"]: each["S3Input"]["S3Uri"] for each in job["ProcessingInputs"]}


def outputs(job: State) -> dict[str, str]:
    """Where what it writes goes: addresses by folders."""
    written = [each["S3Output"] for each in job["ProcessingOutputConfig"]["Outputs"]]
    return {each["LocalPath"]: each["S3Uri"] for each in written}
