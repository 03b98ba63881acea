"""Each house rule is seen to be broken; the picture shows every state and every way."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from state_machines.definition import in_reading_order, members, violations
from state_machines.picture import Picture

Machine = dict[str, Any]

SMALL: Machine = {
    "TimeoutSeconds": 60,
    "StartAt": "Try",
    "States": {
        "Failed": {"Type": "Fail", "Comment": "It did not work.", "Error": "Failed"},
        "Done": {"Type": "Succeed", "Comment": "It worked."},
        "Did it work?": {
            "Type": "Choice",
            "Default": "Failed",
            "Choices": [{"Next": "Done", "Variable": "$.answer.next", "StringEquals": "yes"}],
        },
        "Try": {
            "Next": "Did it work?",
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Explain"}],
            "Retry": [{"ErrorEquals": ["Busy"], "MaxAttempts": 1}],
            "TimeoutSeconds": 5,
            "Resource": "arn:aws:states:::lambda:invoke",
            "Comment": "Tries.",
            "Type": "Task",
        },
        "Explain": {"Type": "Pass", "Comment": "Says why.", "Next": "Failed"},
    },
}
PHASES = {"Work": "Try", "Failure": "Explain"}


def without(*path: str) -> Callable[[Machine], None]:
    def remove(machine: Machine) -> None:
        *parents, last = path
        for each in parents:
            machine = machine[each]
        del machine[last]

    return remove


def also(name: str, state: Machine) -> Callable[[Machine], None]:
    return lambda machine: machine["States"].update({name: state})


def in_try(**fields: Any) -> Callable[[Machine], None]:
    return lambda machine: machine["States"]["Try"].update(fields)


ALL = {"ErrorEquals": ["States.ALL"], "Next": "Explain", "MaxAttempts": 1}
BUSY = {"ErrorEquals": ["Busy"], "Next": "Explain", "MaxAttempts": 1}

BREACHES: list[tuple[Callable[[Machine], None], str]] = [
    (without("TimeoutSeconds"), "The machine has no TimeoutSeconds."),
    (also("Lost", {"Type": "Succeed", "Comment": "Nobody comes here."}), "'Lost' is never reached."),
    (without("States", "Done"), "'Did it work?' leads to 'Done', which is no state."),
    (also("Done", {"Type": "Map", "Comment": "Many at once."}), "'Done' is a Map, which no rule is known for."),
    (also("Done", {"Type": "Succeed"}), "'Done' does not say in a Comment what it does."),
    (without("States", "Did it work?", "Default"), "'Did it work?' has no Default."),
    (without("States", "Try", "Resource"), "'Try' has no Resource."),
    (without("States", "Try", "Retry"), "'Try' has no Retry."),
    (in_try(Catch=[]), "'Try' has no Catch."),
    (without("States", "Try", "TimeoutSeconds"), "'Try' has no timeout."),
    (in_try(Retry=[{"ErrorEquals": ["Busy"]}]), "'Try' is retried without a bound."),
    (in_try(Catch=[BUSY]), "'Try' does not catch States.ALL last."),
    (in_try(Catch=[ALL, BUSY]), "'Try' does not catch States.ALL last."),
    (in_try(Catch=[ALL, ALL]), "'Try' names States.ALL before its last rule."),
    (in_try(Retry=[ALL, BUSY]), "'Try' names States.ALL before its last rule."),
    (in_try(Next="D" * 81), f"'Try' leads to '{'D' * 81}', which is no state."),
]


def test_a_machine_that_keeps_the_rules_breaks_none() -> None:
    assert violations(SMALL) == []


@pytest.mark.parametrize(("breach", "sentence"), BREACHES)
def test_a_rule_that_is_broken_is_told(breach: Callable[[Machine], None], sentence: str) -> None:
    machine = copy.deepcopy(SMALL)
    breach(machine)
    assert sentence in violations(machine)


def test_a_name_that_the_console_refuses_is_told() -> None:
    machine = copy.deepcopy(SMALL)
    machine["States"]["D" * 81] = {"Type": "Succeed", "Comment": "A long name."}
    assert f"'{'D' * 81}' is longer than 80 characters." in violations(machine)


def test_a_path_is_a_timeout_too() -> None:
    machine = copy.deepcopy(SMALL)
    del machine["States"]["Try"]["TimeoutSeconds"]
    machine["States"]["Try"]["TimeoutSecondsPath"] = "$.seconds"
    assert violations(machine) == []


def test_a_machine_reads_in_the_order_in_which_it_goes_well() -> None:
    ordered = in_reading_order(SMALL, PHASES)
    assert list(ordered["States"]) == ["Try", "Did it work?", "Done", "Failed", "Explain"]
    assert ordered == SMALL
    fields = list(ordered["States"]["Try"])
    assert fields == ["Type", "Comment", "Resource", "TimeoutSeconds", "Retry", "Catch", "Next"]


def test_a_phase_ends_where_another_begins() -> None:
    assert members(SMALL, PHASES) == {"Work": ["Try", "Did it work?", "Done", "Failed"], "Failure": ["Explain"]}


def test_a_picture_shows_answers_one_by_one_and_what_nobody_expects_dotted() -> None:
    lines = [line.strip() for line in Picture(SMALL, PHASES).markdown().splitlines()]
    for edge in (
        "start(( )) --> try",
        "try --> did_it_work",
        'did_it_work -- "yes" --> done',
        'did_it_work -. "any other answer" .-> failed',
        'box_work -. "any error" .-> explain',
        "explain --> failed",
    ):
        assert lines.count(edge) == 1
    assert len([line for line in lines if "-." in line]) == 2
    assert 'did_it_work{"Did it work?"}' in lines


def test_a_picture_says_of_every_state_what_it_does() -> None:
    rows = [line for line in Picture(SMALL, PHASES).markdown().splitlines() if line.startswith("| ")]
    assert rows[1:] == [
        "| Work | Try | Tries. |",
        "| Work | Did it work? | `yes`: Done; any other answer: Failed. |",
        "| Work | Done | It worked. |",
        "| Work | Failed | It did not work. |",
        "| Failure | Explain | Says why. |",
    ]
