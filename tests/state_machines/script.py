"""Functions that answer a machine by a script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.state_machines.committed import TASKS, arn
from tests.state_machines.engine import Function

Line = str | dict[str, Any] | Exception
"""The word of an answer, a whole answer, or what is raised."""

PACKAGE = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/7"


def answer(word: str, **fields: Any) -> dict[str, Any]:
    sentence = f"It said {word}."
    return {"next": word, "sentence": sentence, "wait_seconds": 30, "step": 1, "model_package_arn": PACKAGE, **fields}


class Script:
    """What each task answers, call by call; the last line of a task is said again and again.

    Args:
        lines: of each task that does not go well.
        calls: tasks called, in order.
    """

    def __init__(self, **lines: list[Line]) -> None:
        self.lines: dict[str, list[Line]] = {task: list(said) for task, said in (self._well() | lines).items()}
        self.calls: list[str] = []

    def functions(self) -> Mapping[str, Function]:
        """A function for each that the machine calls; each does its own tasks and no other's."""
        return {arn(name): self._function(tasks) for name, tasks in self._tasks().items()}

    def _tasks(self) -> Mapping[str, set[str]]:
        """Tasks by the placeholder of the function that does them."""
        return TASKS

    def _well(self) -> dict[str, list[Line]]:
        """What is answered when all goes well."""
        return WELL

    def _answer(self, word: str) -> dict[str, Any]:
        return answer(word)

    def _name(self, event: dict[str, Any]) -> str:
        """Under which a task's lines stand."""
        return str(event["task"])

    def _function(self, tasks: set[str]) -> Function:
        def function(event: dict[str, Any]) -> dict[str, Any]:
            assert event["task"] in tasks
            line = self._say(self._name(event))
            return line if isinstance(line, dict) else self._answer(line)

        return function

    def _say(self, name: str) -> str | dict[str, Any]:
        """The next line of a task.

        Raises: the line, if it is an error.
        """
        self.calls.append(name)
        lines = self.lines[name]
        line = lines.pop(0) if len(lines) > 1 else lines[0]
        if isinstance(line, Exception):
            raise line
        return line


WELL: dict[str, list[Line]] = {
    "check": ["roll_out"],
    "lock": ["locked"],
    "bring_up": ["wait", "ready"],
    "smoke": ["shadow"],
    "serve_first": ["served"],
    "shadow": ["shadowing"],
    "judge": ["hold", "shift", "hold", "shift", "promote"],
    "shift": ["shifted"],
    "verify": ["verified"],
    "ask": [{}],
    "promote": ["promoted"],
    "remove": ["wait", "removed"],
    "restore": ["restored"],
    "verify_rollback": ["verified"],
    "release": [answer("released", sentence="Released.")],
}
"""A rollout with a shadow and two steps."""
