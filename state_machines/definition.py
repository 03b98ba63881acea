"""A definition in the Amazon States Language as plain values: the house rules, and an order to read it in.

Knows no SDK, so that what is committed can be held against the same rules as what is built.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

Definition = Mapping[str, Any]
State = Mapping[str, Any]

TYPES = {"Task", "Choice", "Wait", "Pass", "Succeed", "Fail"}
LONGEST_NAME = 80
FIRST_FIELDS = ("Type", "Comment", "Resource", "Parameters")
LAST_FIELDS = ("Retry", "Catch", "Next", "Choices", "Default", "End")


def targets(state: State) -> list[str]:
    """Where a state leads, what goes well first: next, answers, any other answer, errors."""
    nexts = [state[field] for field in ("Next",) if field in state]
    answers = [rule["Next"] for rule in state.get("Choices", [])]
    defaults = [state[field] for field in ("Default",) if field in state]
    return [*nexts, *answers, *defaults, *(catch["Next"] for catch in state.get("Catch", []))]


def violations(definition: Definition) -> list[str]:
    """What breaks a house rule, a sentence each."""
    states = definition["States"]
    broken = [] if definition.get("TimeoutSeconds") else ["The machine has no TimeoutSeconds."]
    lost = sorted(set(states) - set(_reached(definition, definition["StartAt"])))
    broken += [f"{name!r} is never reached." for name in lost]
    return broken + [f"{name!r} {each}." for name, state in states.items() for each in _faults(name, state, states)]


def _faults(name: str, state: State, states: Mapping[str, State]) -> Iterator[str]:
    kind = state["Type"]
    if kind not in TYPES:
        yield f"is a {kind}, which no rule is known for"
    if len(name) > LONGEST_NAME:
        yield f"is longer than {LONGEST_NAME} characters"
    if kind != "Choice" and not state.get("Comment"):
        yield "does not say in a Comment what it does"
    if kind == "Choice" and "Default" not in state:
        yield "has no Default"
    if kind == "Task":
        yield from _faults_of_task(state)
    yield from (f"leads to {target!r}, which is no state" for target in targets(state) if target not in states)


def _faults_of_task(task: State) -> Iterator[str]:
    for field in ("Resource", "Retry", "Catch"):
        if not task.get(field):
            yield f"has no {field}"
    if not task.get("TimeoutSeconds") and not task.get("TimeoutSecondsPath"):
        yield "has no timeout"
    if any("MaxAttempts" not in retry for retry in task.get("Retry", [])):
        yield "is retried without a bound"
    if _names(task, "Catch")[-1:] != [["States.ALL"]]:
        yield "does not catch States.ALL last"
    earlier = [*_names(task, "Retry")[:-1], *_names(task, "Catch")[:-1]]
    if any("States.ALL" in names for names in earlier):
        yield "names States.ALL before its last rule"


def _names(task: State, field: str) -> list[list[str]]:
    """The error names of a task's retriers or catchers."""
    return [rule["ErrorEquals"] for rule in task.get(field, [])]


def in_reading_order(definition: Definition, phases: Mapping[str, str]) -> dict[str, Any]:
    """The same definition, its states sorted by phase, as a rollout goes well; errors come last."""
    states = definition["States"]
    names = [name for phase in members(definition, phases).values() for name in phase]
    return {**definition, "States": {name: _fields_in_order(states[name]) for name in names}}


def members(definition: Definition, phases: Mapping[str, str]) -> dict[str, list[str]]:
    """Names of the states of each phase, by its title; each is before what it leads to.

    Args:
        definition: of the machine.
        phases: first state of each phase, by its title. To a phase belongs what its first state leads to, up to the
            first of another; what two phases lead to belongs to the earlier.
    """
    found: dict[str, list[str]] = {}
    taken: set[str] = set()
    for title, entry in phases.items():
        found[title] = _reached(definition, entry, {*taken, *phases.values()} - {entry})
        taken.update(found[title])
    return found


def _reached(definition: Definition, start: str, barred: Collection[str] = ()) -> list[str]:
    """Names of the states that one leads to, itself included, without going through those that are barred."""
    found: dict[str, None] = {}
    left = [start]
    while left:
        name = left.pop()
        if name not in found and name not in barred and name in definition["States"]:
            found[name] = None
            left += reversed(targets(definition["States"][name]))
    return list(found)


def _fields_in_order(state: State) -> dict[str, Any]:
    middle = [name for name in state if name not in (*FIRST_FIELDS, *LAST_FIELDS)]
    return {name: state[name] for name in (*FIRST_FIELDS, *middle, *LAST_FIELDS) if name in state}
