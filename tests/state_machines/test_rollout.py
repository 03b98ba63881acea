"""What the machine does with what its functions answer, executed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from fraud.errors import (
    DeploymentFailed,
    DeploymentInterrupted,
    RollbackUnverified,
    RolloutMoved,
    StoreUnavailable,
)
from fraud.rollout_plan import MOST_LOOKS
from tests.state_machines.committed import STATES, arn, filled
from tests.state_machines.engine import Answer, Engine, Refusal, Run
from tests.state_machines.script import PACKAGE, Line, Script, answer
from tests.state_machines.test_definition import AFTER_RESTORE, BEFORE_PROMOTION, LAMBDA_STATES

BOOTSTRAP: dict[str, list[Line]] = {"smoke": ["bootstrap"]}
ASKING: dict[str, list[Line]] = {"judge": ["ask", "shift", "promote"]}
GOING_BACK = ["Restore the traffic", "Is the traffic restored?", "Verify the rollback", "Is the rollback verified?"]
BACK = [
    *GOING_BACK,
    *["Remove the challenger", "Is the challenger gone?", "Wait for the challenger"],
    *["Remove the challenger", "Is the challenger gone?"],
    *["Release the lock after the rollback", "Announce the rollback", "Rolled back"],
]
AFTER_PROMOTION = [
    *["Remove the former champion", "Is the former champion gone?", "Wait for the former champion"],
    *["Remove the former champion", "Is the former champion gone?"],
    *["Release the lock", "Announce the promotion", "Promoted"],
]
LEFT_UNTIDY = ["Page about the leftovers", "Left untidy"]


def run(script: Script, given: Any = None, *, token: Answer = None, failing: Sequence[str] = (), **hooks: Any) -> Run:
    engine = Engine(filled(), script.functions(), on_token=lambda *_: token, failing=failing, **hooks)
    return engine.run(given)


def task_of(name: str) -> str:
    return str(STATES[name]["Parameters"]["Payload"]["task"])


def reaching(name: str) -> dict[str, list[Line]]:
    """Answers under which a rollout comes by a state before the promotion."""
    paths: dict[str, dict[str, list[Line]]] = {
        "Serve the first model": BOOTSTRAP,
        "Ask for approval": ASKING,
        "Judge the bake": {"judge": ["shift", "promote"]},
    }
    return dict(paths.get(name, {}))


def failing_at(name: str, line: Line) -> Script:
    """A rollout in which a state before the promotion gets this answer, or error."""
    lines = reaching(name)
    if name == "Judge the bake":
        lines["judge"] = ["shift", line]
    else:
        lines[task_of(name)] = [line]
    return Script(**lines)


def sentence_to_restore(ran: Run) -> str:
    (sentence,) = [event["sentence"] for _, event in ran.invocations if event["task"] == "restore"]
    return str(sentence)


# --- Forward ----------------------------------------------------------------------------------------------------------


def test_a_rollout_that_goes_well_takes_every_step_and_announces_the_promotion() -> None:
    ran = run(Script())
    assert (ran.status, ran.error) == ("SUCCEEDED", "")
    assert ran.states == [
        *["Check the candidate", "Is there something to roll out?", "Take the lock", "Is the lock taken?"],
        *["Bring up the endpoint", "Is the endpoint in service?", "Wait for the endpoint"],
        *["Bring up the endpoint", "Is the endpoint in service?"],
        *["Score the smoke vectors", "What follows the smoke test?"],
        *["Start the shadow", "Is the shadow started?"],
        *["Shadow", "Judge the shadow", "What does the shadow say?"] * 2,
        *["Shift the traffic", "Is the traffic shifted?", "Verify the shift", "Is the shift verified?"],
        *["Bake", "Judge the bake", "What does the bake say?"] * 2,
        *["Shift the traffic", "Is the traffic shifted?", "Verify the shift", "Is the shift verified?"],
        *["Bake", "Judge the bake", "What does the bake say?"],
        *["Promote the challenger", "Is it promoted?"],
        *AFTER_PROMOTION,
    ]
    (event,) = ran.events()
    assert (event["EventBusName"], event["Source"], event["DetailType"]) == (
        arn("EventBusName"),
        "fraud.rollouts",
        "Model Promoted",
    )
    assert event["Detail"] == {
        "rollout_id": "rollout-1",
        "execution": "arn:aws:states:eu-central-1:123456789012:execution:rollout:rollout-1",
        "sentence": "Released.",
        "model_package_arn": PACKAGE,
    }
    assert ran.published() == []


def test_waits_last_for_as_long_as_the_function_said() -> None:
    seconds: list[int] = []
    script = Script(
        bring_up=[answer("wait", wait_seconds=7), "ready"],
        shadow=[answer("shadowing", wait_seconds=11)],
        judge=[answer("hold", wait_seconds=13), "shift", "promote"],
        verify=[answer("verified", wait_seconds=17)],
        remove=["removed"],
    )
    ran = run(script, on_wait=seconds.append)
    assert ran.waits == seconds == [7, 11, 13, 17]


def test_the_first_model_serves_at_once_and_is_announced() -> None:
    ran = run(Script(**BOOTSTRAP))
    follows = ran.states.index("What follows the smoke test?")
    assert ran.states[follows + 1 :] == [
        *["Serve the first model", "Is the first model served?"],
        *AFTER_PROMOTION,
    ]
    assert [event["DetailType"] for event in ran.events()] == ["Model Promoted"]


def test_a_plan_without_a_shadow_shifts_after_the_smoke_test() -> None:
    ran = run(Script(smoke=[answer("shift", step=0)], judge=["promote"]))
    assert ran.states[-1] == "Promoted"
    assert "Start the shadow" not in ran.states


def test_each_shift_is_told_the_step_that_the_answer_before_it_named() -> None:
    script = Script(judge=[answer("shift", step=0), answer("shift", step=1), answer("shift", step=2), "promote"])
    ran = run(script)
    assert [event["step"] for _, event in ran.invocations if event["task"] == "shift"] == [0, 1, 2]


def test_the_lock_is_told_the_package_that_the_check_found() -> None:
    ran = run(Script(check=[answer("roll_out", model_package_arn="arn:newest")]))
    assert [event["model_package_arn"] for _, event in ran.invocations if event["task"] == "lock"] == ["arn:newest"]


@pytest.mark.parametrize(
    "given", [{}, {"model_package_arn": PACKAGE, "plan": {"steps_bps": [100]}, "started_by": "a person"}, [], "a text"]
)
def test_every_task_gets_the_input_whole_whatever_it_is(given: Any) -> None:
    ran = run(Script(), given)
    assert ran.states[-1] == "Promoted"
    assert all(event["input"] == given for _, event in ran.invocations)


@pytest.mark.parametrize(
    ("lines", "status", "end"),
    [
        ({"check": ["nothing"]}, "SUCCEEDED", "Nothing to roll out"),
        ({"check": ["refused"]}, "FAILED", "Refused"),
        ({"lock": ["under_way"]}, "SUCCEEDED", "Already under way"),
        ({"lock": ["refused"]}, "FAILED", "Refused"),
    ],
)
def test_a_rollout_that_does_not_begin_touches_nothing_and_tells_nobody(
    lines: dict[str, list[Line]], status: str, end: str
) -> None:
    script = Script(**lines)
    ran = run(script)
    assert (ran.status, ran.states[-1], ran.calls) == (status, end, [])
    assert set(script.calls) <= {"check", "lock"}


def test_a_refusal_says_why() -> None:
    ran = run(Script(lock=[answer("refused", sentence="An alarm is in ALARM.")]))
    assert (ran.error, ran.cause) == ("Refused", "An alarm is in ALARM.")


def events_of_a_look() -> float:
    """Events of an execution's history that a look takes: a wait, a judgement and a question."""
    short = run(Script(judge=["shift", "promote"]))
    long = run(Script(judge=[*["hold"] * 10, "shift", "promote"]))
    return (len(long.history) - len(short.history)) / 10


def test_the_longest_plan_fits_into_the_history_of_an_execution() -> None:
    """An execution ends after 25,000 events; 5,000 are left for what is no look, above all for the deployment."""
    assert events_of_a_look() * MOST_LOOKS <= 25_000 - 5_000


# --- Approval ---------------------------------------------------------------------------------------------------------


def test_an_approval_leads_to_the_step_that_was_approved() -> None:
    ran = run(Script(**ASKING), token=answer("shift", step=2))
    assert ran.states[-1] == "Promoted"
    first, *_ = [event for _, event in ran.invocations if event["task"] == "shift"]
    assert first["step"] == 2


def test_a_person_can_be_asked_before_any_traffic() -> None:
    ran = run(Script(smoke=["ask"], judge=["promote"]), token=answer("shift", step=0))
    follows = ran.states.index("What follows the smoke test?")
    assert ran.states[follows + 1 : follows + 4] == ["Ask for approval", "Is it approved?", "Shift the traffic"]


def test_a_person_can_be_asked_before_full_traffic() -> None:
    ran = run(Script(judge=["shift", "ask", "promote"]), token=answer("shift", step=1))
    says = ran.states.index("What does the bake say?")
    assert ran.states[says + 1 : says + 4] == ["Ask for approval", "Is it approved?", "Shift the traffic"]
    assert ran.states[-1] == "Promoted"


def test_who_is_asked_gets_the_question_its_step_and_the_token() -> None:
    tokens: list[tuple[str, int]] = []

    def approve(token: str, seconds: int) -> Answer:
        tokens.append((token, seconds))
        return answer("shift")

    asked = answer("ask", sentence="May it?", step=3, wait_seconds=600)
    ran = Engine(filled(), Script(judge=[asked, "promote"]).functions(), on_token=approve).run()
    ((_, event),) = [each for each in ran.invocations if each[1]["task"] == "ask"]
    assert (event["sentence"], event["step"]) == ("May it?", 3)
    assert tokens == [(event["token"], 600)]


@pytest.mark.parametrize(
    ("token", "why"),
    [
        (answer("roll_back", sentence="Rejected by a person."), "Rejected by a person."),
        (Refusal("RolloutStopped", "An alarm fired."), '{"Error":"RolloutStopped","Cause":"An alarm fired."}'),
        (None, "Nobody approved it within the time that the plan allows."),
    ],
)
def test_without_an_approval_the_rollout_goes_back_and_says_why(token: Answer, why: str) -> None:
    ran = run(Script(**ASKING), token=token)
    assert sentence_to_restore(ran) == why
    assert (ran.error, ran.states[-len(BACK) :]) == ("RolledBack", BACK)
    assert "Shift the traffic" not in ran.states


def test_an_approval_is_waited_for_as_long_as_the_plan_says() -> None:
    waited: list[int] = []
    run(Script(judge=[answer("ask", wait_seconds=86_400)]), on_wait=waited.append)
    assert 86_400 in waited


# --- Back -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(set(BEFORE_PROMOTION) - {"Ask for approval"}))
def test_whatever_stops_before_the_promotion_goes_back_and_says_why(name: str) -> None:
    ran = run(failing_at(name, answer("roll_back", sentence="A gate failed.")))
    assert sentence_to_restore(ran) == "A gate failed."
    assert (ran.status, ran.error, ran.cause) == ("FAILED", "RolledBack", "Released.")
    assert ran.states[-len(BACK) :] == BACK
    assert [event["DetailType"] for event in ran.events()] == ["Rollout Rolled Back"]
    assert ran.published() == []


@pytest.mark.parametrize("name", BEFORE_PROMOTION)
def test_an_error_in_a_task_before_the_promotion_goes_back_and_says_which(name: str) -> None:
    script = failing_at(name, DeploymentFailed("no capacity"))
    ran = run(script)
    told = json.loads(sentence_to_restore(ran))
    assert (told["Error"], json.loads(told["Cause"])["errorMessage"]) == ("DeploymentFailed", "no capacity")
    assert (ran.error, ran.states[-len(BACK) - 1 :]) == ("RolledBack", ["Explain the failure", *BACK])
    assert script.calls.count(task_of(name)) == (2 if name == "Judge the bake" else 1)


@pytest.mark.parametrize("name", BEFORE_PROMOTION)
def test_a_rollout_that_is_another_s_by_now_changes_nothing_more(name: str) -> None:
    script = failing_at(name, DeploymentFailed("whatever"))
    script.lines["restore"] = [answer("superseded", sentence="Another rollout has taken its place.")]
    ran = run(script)
    assert (ran.error, ran.cause) == ("Superseded", "Another rollout has taken its place.")
    assert ran.states[-3:] == ["Restore the traffic", "Is the traffic restored?", "Superseded"]
    assert ran.calls == []


@pytest.mark.parametrize("name", ["Promote the challenger", "Serve the first model"])
def test_a_promotion_that_took_effect_unheard_is_tidied_up_after(name: str) -> None:
    script = failing_at(name, DeploymentFailed("the answer was lost"))
    script.lines["restore"] = ["promoted"]
    ran = run(script)
    assert ran.status == "SUCCEEDED"
    restored = ran.states.index("Is the traffic restored?")
    assert ran.states[restored + 1 :] == AFTER_PROMOTION


def test_a_restore_that_says_something_new_is_verified_all_the_same() -> None:
    ran = run(Script(promote=["roll_back"], restore=["something new"]))
    assert ran.states[-len(BACK) :] == BACK


@pytest.mark.parametrize("error", [StoreUnavailable, DeploymentInterrupted, RolloutMoved])
def test_what_may_pass_is_tried_again(error: type[Exception]) -> None:
    script = Script(shift=[error("busy"), "shifted"])
    assert run(script).states[-1] == "Promoted"
    assert script.calls.count("shift") == 3


@pytest.mark.parametrize("name", sorted(LAMBDA_STATES))
def test_a_task_that_is_tried_again_changes_nothing_of_what_follows(name: str) -> None:
    """Every task, also those of the way back and of the housekeeping."""
    first = reaching(name) if name in BEFORE_PROMOTION else {}
    if name in AFTER_RESTORE and name not in ("Remove the former champion", "Release the lock"):
        first = {"promote": ["roll_back"]}
    expected = run(Script(**first), token=answer("shift"))
    stumbling = Script(**first)
    task = task_of(name)
    stumbling.lines[task] = [StoreUnavailable("busy"), StoreUnavailable("busy"), *stumbling.lines[task]]
    ran = run(stumbling, token=answer("shift"))
    assert (ran.states, ran.status) == (expected.states, expected.status)
    assert stumbling.calls.count(task) == len([each for each in expected.invocations if each[1]["task"] == task]) + 2


def test_what_does_not_pass_is_given_up_after_six_more_tries() -> None:
    script = Script(shift=[StoreUnavailable("busy")])
    ran = run(script)
    assert script.calls.count("shift") == 7
    assert ran.error == "RolledBack"


def test_a_rollback_that_is_not_seen_at_once_is_looked_at_again() -> None:
    script = Script(promote=["roll_back"], verify_rollback=[RollbackUnverified("not yet"), "verified"])
    ran = run(script)
    assert script.calls.count("verify_rollback") == 2
    assert (ran.error, ran.published()) == ("RolledBack", [])


@pytest.mark.parametrize(
    ("lines", "tried"),
    [
        ({"verify_rollback": [RollbackUnverified("40 decisions by the challenger")]}, {"verify_rollback": 7}),
        ({"verify_rollback": ["something new"]}, {"verify_rollback": 1}),
        ({"verify_rollback": [StoreUnavailable("busy")]}, {"verify_rollback": 7}),
        ({"restore": [DeploymentFailed("a mistake")]}, {"restore": 7}),
        ({"restore": [StoreUnavailable("busy")]}, {"restore": 7}),
    ],
)
def test_a_rollback_that_nobody_saw_pages_a_person_and_leaves_all_as_it_is(
    lines: dict[str, list[Line]], tried: dict[str, int]
) -> None:
    script = Script(promote=["roll_back"], **lines)
    ran = run(script)
    assert {task: script.calls.count(task) for task in tried} == tried
    assert (ran.error, ran.states[-2:]) == ("RollbackUnverified", ["Page a person", "Rollback unverified"])
    assert not {"remove", "release"} & set(script.calls)
    ((subject, message),) = ran.published()
    assert subject == "Rollout: the rollback is not verified"
    assert "execution:rollout:rollout-1" in message


def test_a_page_holds_all_that_is_known() -> None:
    ran = run(Script(promote=["roll_back"], verify_rollback=[RollbackUnverified("40 decisions by the challenger")]))
    ((_, message),) = ran.published()
    known = json.loads(message.partition("What is known: ")[2])
    assert known["answer"]["next"] == "restored"
    assert known["error"]["Error"] == "RollbackUnverified"
    assert "40 decisions by the challenger" in known["error"]["Cause"]


def test_a_rollback_is_superseded_when_another_rollout_finished_it() -> None:
    ran = run(Script(promote=["roll_back"], verify_rollback=["superseded"]))
    assert (ran.error, ran.states[-1], ran.published()) == ("Superseded", "Superseded", [])


def test_a_person_who_cannot_be_paged_changes_nothing() -> None:
    ran = run(Script(promote=["roll_back"], verify_rollback=["what"]), failing=["sns:publish"])
    assert (ran.error, ran.published()) == ("RollbackUnverified", [])


# --- Housekeeping -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("promoted", [True, False])
@pytest.mark.parametrize("line", [DeploymentFailed("it stays"), StoreUnavailable("busy")])
@pytest.mark.parametrize("task", ["remove", "release"])
def test_an_error_in_housekeeping_tells_a_person_and_touches_no_traffic(task: str, line: Line, promoted: bool) -> None:
    lines: dict[str, list[Line]] = {task: [line]}
    script = Script(**lines) if promoted else Script(promote=["roll_back"], **lines)
    ran = run(script)
    assert (ran.error, ran.states[-2:]) == ("LeftUntidy", LEFT_UNTIDY)
    assert script.calls.count("restore") == (0 if promoted else 1)
    ((subject, message),) = ran.published()
    assert subject == "Rollout: something is left to tidy up"
    assert type(line).__name__ in message
    assert ran.events() == []


@pytest.mark.parametrize("promoted", [True, False])
def test_an_announcement_that_fails_tells_a_person(promoted: bool) -> None:
    script = Script() if promoted else Script(promote=["roll_back"])
    ran = run(script, failing=["events:putEvents"])
    assert (ran.error, ran.states[-2:]) == ("LeftUntidy", LEFT_UNTIDY)
    assert len(ran.published()) == 1


@pytest.mark.parametrize("promoted", [True, False])
def test_a_removal_that_says_something_new_tells_a_person(promoted: bool) -> None:
    script = Script(remove=["what"]) if promoted else Script(remove=["what"], promote=["roll_back"])
    ran = run(script)
    assert (ran.states[-2:], script.calls[-1]) == (LEFT_UNTIDY, "remove")


@pytest.mark.parametrize("promoted", [True, False])
def test_housekeeping_that_is_another_s_by_now_is_left_to_it(promoted: bool) -> None:
    script = Script(remove=["superseded"]) if promoted else Script(remove=["superseded"], promote=["roll_back"])
    ran = run(script)
    assert (ran.error, script.calls[-1], ran.calls) == ("Superseded", "remove", [])


def test_leftovers_that_nobody_can_be_told_of_change_nothing() -> None:
    ran = run(Script(release=[DeploymentFailed("no")]), failing=["sns:publish"])
    assert (ran.error, ran.states[-2:]) == ("LeftUntidy", LEFT_UNTIDY)
