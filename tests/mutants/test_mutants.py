"""The mutation check: a test that names a row of the fault table turns red under that row's mutant."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from tests.mutants.table import TABLE, Mutant

ROOT = Path(__file__).parent.parent.parent
FILES = [*sorted((ROOT / "tests" / "faults").glob("test_*.py")), ROOT / "tests" / "contract" / "test_adapter_errors.py"]
NAMED = {path: {int(row) for row in re.findall(r"def test_fault_(\d\d)_", path.read_text())} for path in FILES}
"""Rows that the tests of a file name."""
PASSED, FAILED = 0, 1
"""pytest's exit codes; any other means that nothing was tested."""
AT_ONCE = 2

Outcome = tuple[int, str]
CASES = [(mutant, row) for mutant in TABLE for row in mutant.rows]
UNCHANGED = Mutant("none", (), "policy.json", "", "")


class Zygotes:
    """Processes that run fault tests with a mutant in place of the application."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).parent / "zygote.py")]
        self._all = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
            for _ in range(AT_ONCE)
        ]
        self._idle: SimpleQueue[subprocess.Popen[str]] = SimpleQueue()
        for each in self._all:
            self._idle.put(each)

    def run(self, mutant: Mutant, files: list[Path], tests: str) -> Outcome:
        zygote = self._idle.get()
        assert zygote.stdin is not None and zygote.stdout is not None
        change = {"path": mutant.path, "old": mutant.old, "new": mutant.new}
        zygote.stdin.write(json.dumps(change | {"files": list(map(str, files)), "tests": tests}) + "\n")
        zygote.stdin.flush()
        answer: dict[str, Any] = json.loads(zygote.stdout.readline())
        self._idle.put(zygote)
        return answer["exit"], answer["output"]

    def close(self) -> None:
        for each in self._all:
            each.communicate()


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Outcome]]]:
    """Outcomes of the chosen cases by test id, worked on in the background."""
    zygotes = Zygotes()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        chosen = [item for item in request.session.items if item.path == request.path]
        cases = [
            (item.nodeid, item.callspec.params)
            for item in chosen
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
        ]
        yield {
            name: pool.submit(
                zygotes.run,
                case["mutant"],
                [path for path in FILES if case["row"] in NAMED[path]],
                f"fault_{case['row']:02d}_",
            )
            for name, case in cases
            if "row" in case
        } | {"unchanged": pool.submit(zygotes.run, UNCHANGED, FILES, "fault and not aws and not any_")}
    zygotes.close()


@pytest.mark.parametrize(("mutant", "row"), CASES, ids=[f"{row:02d}: {mutant.name}" for mutant, row in CASES])
def test_mutant_of_a_row_turns_its_tests_red(
    request: pytest.FixtureRequest, outcomes: dict[str, Future[Outcome]], mutant: Mutant, row: int
) -> None:
    code, output = outcomes[request.node.nodeid].result()
    assert code == FAILED, f"under the mutant, no test of row {row} fails:\n{output}"


def test_application_without_a_mutant_leaves_the_tests_green(outcomes: dict[str, Future[Outcome]]) -> None:
    code, output = outcomes["unchanged"].result()
    assert code == PASSED, output


@pytest.mark.parametrize("mutant", TABLE, ids=[mutant.name for mutant in TABLE])
def test_mutant_text_it_replaces_is_there_once(mutant: Mutant) -> None:
    text = (ROOT / "functions" / mutant.path).read_text()
    assert text.count(mutant.old) == 1, f"{mutant.path} changed: find the new place of {mutant.old!r}"
    assert mutant.new != mutant.old


def test_table_every_row_that_a_test_names_has_a_mutant() -> None:
    assert set().union(*NAMED.values()) == {row for mutant in TABLE for row in mutant.rows}
