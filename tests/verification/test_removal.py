"""However a run ends, the clean-up finds all that it created."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.verification.conftest import Clock, Make
from tests.verification.fake_account import ACCOUNT, DEFAULT_SCRIPT, REGION, USUAL, Account, Interrupted, refusal
from verification import removal
from verification.kinds import KINDS
from verification.ledger import Entry, Ledger
from verification.points import ALL, containers
from verification.removal import PASSES, PAUSE, clean_up, elsewhere
from verification.run import asked
from verification.sandbox import Sandbox

LEAST_CALLS = 150


@pytest.fixture
def _small_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing the project's source again for every interruption would take minutes."""
    monkeypatch.setattr(containers.job_source, "build", lambda *directories: b"")


def run_all(sandbox: Sandbox) -> None:
    for probe in ALL:
        asked(probe, sandbox)


def cleaned(account: Account, ledger: Ledger) -> list[Entry]:
    """Clean up with nothing but the file, as a later process does."""
    account.dies_at = account.fails_at = None
    return clean_up(account, Ledger(ledger.path), ACCOUNT, lambda seconds: None)


def calls_of_a_whole_run(make_sandbox: Make) -> int:
    sandbox = make_sandbox(checks=False)
    run_all(sandbox)
    assert len(sandbox.aws.calls) > LEAST_CALLS
    return len(sandbox.aws.calls)


@pytest.mark.usefixtures("_small_source")
@pytest.mark.parametrize("has_effect", [False, True])
def test_clean_up_after_a_death_at_any_call_leaves_nothing(
    has_effect: bool, make_sandbox: Make, ledger: Ledger
) -> None:
    for number in range(calls_of_a_whole_run(make_sandbox)):
        ledger.path.unlink(missing_ok=True)
        sandbox = make_sandbox(checks=False)
        account = sandbox.aws
        account.dies_at, account.dies_after = number, has_effect
        with pytest.raises(Interrupted):
            run_all(sandbox)
        # Jobs that nobody waits for any more go on.
        account.ends = False

        assert cleaned(account, ledger) == []
        assert account.standing == set(), account.calls[number]


@pytest.mark.usefixtures("_small_source")
def test_clean_up_after_an_error_at_any_call_leaves_nothing(make_sandbox: Make, ledger: Ledger) -> None:
    for number in range(calls_of_a_whole_run(make_sandbox)):
        ledger.path.unlink(missing_ok=True)
        sandbox = make_sandbox(checks=False)
        sandbox.aws.fails_at = number
        run_all(sandbox)

        assert cleaned(sandbox.aws, ledger) == []
        assert sandbox.aws.standing == set(), sandbox.aws.calls[number]


@pytest.mark.usefixtures("_small_source")
def test_clean_up_that_dies_itself_is_finished_by_the_next(make_sandbox: Make, ledger: Ledger) -> None:
    sandbox = make_sandbox()
    run_all(sandbox)
    account = sandbox.aws
    while ledger.standing():
        account.dies_at = len(account.calls) + 7
        try:
            clean_up(account, ledger, ACCOUNT, lambda seconds: None)
        except Interrupted:
            continue

    assert account.standing == set()


@pytest.mark.usefixtures("_small_source")
def test_points_asked_one_after_another_do_not_disturb_each_other(make_sandbox: Make) -> None:
    sandbox = make_sandbox()

    assert {probe.key: asked(probe, sandbox).verdict for probe in ALL} == {probe.key: "confirmed" for probe in ALL}


def test_clean_up_uses_only_the_calls_that_kinds_declare(make_sandbox: Make, ledger: Ledger) -> None:
    sandbox = make_sandbox()
    run_all(sandbox)
    begun = len(sandbox.aws.calls)
    cleaned(sandbox.aws, ledger)

    assert set(sandbox.aws.calls[begun:]) <= {call for kind in KINDS.values() for call in kind.calls}


def test_clean_up_of_what_cannot_be_removed_ends_and_names_it(account: Account, ledger: Ledger) -> None:
    entry = Entry("alarm", "fraud-verify-x", ACCOUNT, REGION)
    ledger.creating(entry)
    account.standing.add(("alarm", "fraud-verify-x"))
    account.script["cloudwatch.delete_alarms"] = refusal("AccessDenied")
    clock = Clock()
    begun = clock.now

    assert clean_up(account, ledger, ACCOUNT, clock.sleep) == [entry]
    assert clock.now - begun == (PASSES - 1) * PAUSE


def hidden_at_first(call: str, shown: Callable[[Account, Any], Any], empty: dict[str, Any]) -> dict[str, Any]:
    """A list that shows what stands only when it is asked for the second time."""
    asked_for = itertools.count()
    return {call: lambda account, params: shown(account, params) if next(asked_for) else empty}


LISTED = [
    ("key", "kms.list_keys", {"Keys": []}),
    ("mappings", "lambda.list_event_source_mappings", {"EventSourceMappings": []}),
]


@pytest.mark.parametrize(("kind", "call", "empty"), LISTED)
def test_clean_up_of_what_a_list_does_not_show_yet_finds_it_when_it_looks_again(
    kind: str, call: str, empty: dict[str, Any], account: Account, ledger: Ledger
) -> None:
    account.script |= hidden_at_first(call, USUAL[call], empty)
    account.standing.add((kind, "fraud-verify-x"))
    ledger.creating(Entry(kind, "fraud-verify-x", ACCOUNT, REGION))

    assert cleaned(account, ledger) == [] == sorted(account.standing)


def test_clean_up_keeps_a_function_until_its_event_sources_are_gone(account: Account, ledger: Ledger) -> None:
    """They are found by its name."""
    for kind in ("function", "mappings"):
        ledger.creating(Entry(kind, "fraud-verify-x", ACCOUNT, REGION))
        account.standing.add((kind, "fraud-verify-x"))
    call = "lambda.list_event_source_mappings"
    account.script |= hidden_at_first(call, USUAL[call], {"EventSourceMappings": []})

    removal.remove_once(account, ledger, ledger.standing(), lambda text: None, set())
    assert ("function", "fraud-verify-x") in account.standing
    assert cleaned(account, ledger) == [] == sorted(account.standing)


@pytest.mark.parametrize(("kind", "looks"), [("key", 2), ("mappings", 2), ("alarm", 1)])
def test_clean_up_of_what_is_not_there_looks_twice_where_only_a_list_tells(
    kind: str, looks: int, account: Account, ledger: Ledger
) -> None:
    ledger.creating(Entry(kind, "fraud-verify-x", ACCOUNT, REGION))
    clock = Clock()
    begun = clock.now

    assert clean_up(account, ledger, ACCOUNT, clock.sleep) == []
    assert len(account.calls) == looks and clock.now - begun == (looks - 1) * PAUSE


def test_clean_up_keeps_a_role_until_what_runs_under_it_is_gone(account: Account, ledger: Ledger) -> None:
    for kind in ("role", "endpoint"):
        ledger.creating(Entry(kind, "fraud-verify-x", ACCOUNT, REGION))
        account.standing.add((kind, "fraud-verify-x"))
    account.script["sagemaker.delete_endpoint"] = refusal("ValidationException", "Cannot update in-progress endpoint")

    removal.remove_once(account, ledger, ledger.standing(), lambda text: None, set())
    assert ("role", "fraud-verify-x") in account.standing

    account.script = dict(DEFAULT_SCRIPT)
    assert cleaned(account, ledger) == [] == sorted(account.standing)


def test_clean_up_leaves_other_accounts_to_their_own_credentials(account: Account, ledger: Ledger) -> None:
    others = [Entry("alarm", "x", "210987654321", REGION), Entry("alarm", "x", ACCOUNT, "eu-west-1")]
    for each in others:
        ledger.creating(each)

    assert clean_up(account, ledger, ACCOUNT, lambda seconds: None) == []
    assert elsewhere(ledger, ACCOUNT, REGION) == others
    assert account.calls == []


def test_ledger_after_a_torn_line_keeps_all_whole_ones(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "deep" / "ledger.jsonl")
    first, second = (Entry("alarm", name, ACCOUNT, REGION) for name in ("first", "second"))
    ledger.creating(first)
    with ledger.path.open("a") as file:
        file.write('{"event": "crea')

    assert ledger.standing() == [first]
    ledger.creating(second)
    ledger.removed(first)
    assert ledger.standing() == [second]
