"""A picture of a machine for people: a Mermaid flowchart and a table, both made from the definition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from state_machines.definition import Definition, State, members

SHAPES = {
    "Task": '["{}"]',
    "Pass": '["{}"]',
    "Choice": '{{"{}"}}',
    "Wait": '{{{{"{}"}}}}',
    "Succeed": '(["{}"])',
    "Fail": '(["{}"])',
}

Exits = tuple[tuple[str, str], ...]
"""Where errors and unexpected answers lead out of a phase: labels and states."""


class Picture:
    """A machine, its states sorted into phases.

    Args:
        definition: of the machine.
        phases: first state of each phase, by its title.
    """

    def __init__(self, definition: Definition, phases: Mapping[str, str]) -> None:
        self.start: str = definition["StartAt"]
        self.states: Mapping[str, State] = definition["States"]
        self.members = members(definition, phases)

    def markdown(self) -> str:
        """The flowchart, then a table of the states of each phase."""
        return "\n".join(["```mermaid", "flowchart TD", *self._flowchart(), "```", "", *self._table()])

    def _flowchart(self) -> Iterator[str]:
        yield f"    start(( )) --> {_id(self.start)}"
        for exits, titles in self._boxes().items():
            yield from (f"    {line}" for line in self._box(titles, exits))
        yield from (f"    {edge}" for name, state in self.states.items() for edge in _edges(name, state))

    def _boxes(self) -> dict[Exits, list[str]]:
        """Phases that errors leave in the same way, together."""
        boxes: dict[Exits, list[str]] = {}
        for title, names in self.members.items():
            boxes.setdefault(self._exits(names), []).append(title)
        return boxes

    def _box(self, titles: list[str], exits: Exits) -> Iterator[str]:
        """One frame around phases, so that what they have in common is drawn once."""
        phases = [line for title in titles for line in self._phase(title)]
        box = f"box_{_id(titles[0])}"
        yield from [f'subgraph {box}[" "]', *(f"    {line}" for line in phases), "end"] if exits else phases
        yield from (f'{box} -. "{label}" .-> {_id(target)}' for label, target in exits)

    def _exits(self, names: list[str]) -> Exits:
        labels: dict[str, list[str]] = {}
        for name in names:
            for label, target in _dotted(self.states[name]):
                if target not in names and label not in labels.setdefault(target, []):
                    labels[target].append(label)
        return tuple((" or ".join(given), target) for target, given in labels.items())

    def _phase(self, title: str) -> Iterator[str]:
        names = self.members[title]
        yield f'subgraph phase_{_id(title)}["{title}"]'
        yield from (f"    {_id(name)}{SHAPES[self.states[name]['Type']].format(name)}" for name in names)
        inside = [(name, *dotted) for name in names for dotted in _dotted(self.states[name]) if dotted[1] in names]
        yield from (f'    {_id(name)} -. "{label}" .-> {_id(target)}' for name, label, target in inside)
        yield "end"

    def _table(self) -> Iterator[str]:
        yield "| phase | state | what it does |"
        yield "|---|---|---|"
        for title, names in self.members.items():
            yield from (f"| {title} | {name} | {_says(self.states[name])} |" for name in names)


def _edges(name: str, state: State) -> Iterator[str]:
    """What is expected: the next state, or one for each answer."""
    if "Next" in state:
        yield f"{_id(name)} --> {_id(state['Next'])}"
    yield from (f'{_id(name)} -- "{word}" --> {_id(target)}' for word, target in _answers(state))


def _dotted(state: State) -> Iterator[tuple[str, str]]:
    """What is not expected, as far as it leads elsewhere than what is: labels and states."""
    expected = {state.get("Next"), *(target for _, target in _answers(state))}
    for catch in state.get("Catch", []):
        if catch["Next"] not in expected:
            errors = catch["ErrorEquals"]
            yield "any error" if errors == ["States.ALL"] else ", ".join(errors), catch["Next"]
    if "Default" in state and state["Default"] not in expected:
        yield "any other answer", state["Default"]


def _answers(state: State) -> list[tuple[str, str]]:
    return [(rule["StringEquals"], rule["Next"]) for rule in state.get("Choices", [])]


def _says(state: State) -> str:
    if state["Type"] != "Choice":
        return str(state["Comment"])
    led = [f"`{word}`: {target}" for word, target in _answers(state)]
    return "; ".join([*led, f"any other answer: {state['Default']}"]) + "."


def _id(name: str) -> str:
    """A name that Mermaid takes for a node."""
    return re.sub(r"\W+", "_", name).strip("_").lower()
