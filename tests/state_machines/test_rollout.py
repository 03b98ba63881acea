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
from fraud.rollout_plan import EVENTS_OF_A_LOOK, EVENTS_OF_A_QUESTION, MOST_EVENTS, OTHER_EVENTS
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
    *["Announce the rollback", "Release the lock after the rollback", "Is the lock free again?", "Rolled back"],
]
AFTER_PROMOTION = [
    *["Remove the former champion", "Is the former champion gone?", "Wait for the former champion"],
    *["Remove the former champion", "Is the former champion gone?"],
    *["Announce the promotion", "Release the lock", "Is the lock released?", "Promoted"],
]
APPROVAL = ["Ask for approval", "Judge the approval", "What does the approval say?", "Shift the traffic"]
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
        "Judge the approval": ASKING,
        "Judge the bake": {"judge": ["shift", "promote"]},
    }
    return dict(paths.get(name, {}))


def failing_at(name: str, line: Line) -> Script:
    """A rollout in which a state before the promotion gets this answer, or error."""
    lines = reaching(name)
    before = {"Judge the bake": "shift", "Judge the approval": "ask"}
    if name in before:
        lines["judge"] = [before[name], line]
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
        "sentence": "It said removed.",
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


def events_of_ten(word: str) -> float:
    """Events of an execution's history that a tenth of ten such answers of a look takes."""
    short = run(Script(judge=[word, "shift", "promote"]))
    long = run(Script(judge=[*[word] * 11, "shift", "promote"]))
    return (len(long.history) - len(short.history)) / 10


def test_a_plan_counts_as_many_events_as_a_look_takes() -> None:
    assert events_of_ten("hold") == EVENTS_OF_A_LOOK


def test_a_plan_counts_as_many_events_as_a_question_that_nobody_answers_takes() -> None:
    assert events_of_ten("ask") <= EVENTS_OF_A_QUESTION


def test_what_a_plan_does_not_count_fits_into_the_rest_of_the_history() -> None:
    """An execution ends after 25,000 events."""
    longest = len(run(Script(judge=["shift"] * 11 + ["promote"])).history)
    assert longest < OTHER_EVENTS
    assert MOST_EVENTS < 25_000


# --- Approval ---------------------------------------------------------------------------------------------------------


def test_an_approval_leads_to_the_step_that_the_look_after_it_names() -> None:
    """What a person said is in the record; the answer to the token only wakes the machine."""
    script = Script(judge=["ask", answer("shift", step=2), "promote"])
    ran = run(script, token=answer("shift", step=1))
    assert ran.states[-1] == "Promoted"
    first, *_ = [event for _, event in ran.invocations if event["task"] == "shift"]
    assert first["step"] == 2


@pytest.mark.parametrize("token", [answer("shift"), None])
def test_a_look_that_finds_no_approval_asks_again(token: Answer) -> None:
    ran = run(Script(judge=["ask", "ask", "ask", "shift", "promote"]), token=token)
    asked = ran.states.index("Ask for approval")
    circle = ["Ask for approval", "Judge the approval", "What does the approval say?"]
    assert ran.states[asked : asked + 10] == [*circle * 3, "Shift the traffic"]
    assert ran.states[-1] == "Promoted"


def test_each_question_has_a_token_of_its_own() -> None:
    ran = run(Script(judge=["ask", "ask", "shift", "promote"]))
    tokens = [event["token"] for _, event in ran.invocations if event["task"] == "ask"]
    assert len(set(tokens)) == len(tokens) == 2


def test_a_person_can_be_asked_before_any_traffic() -> None:
    ran = run(Script(smoke=["ask"], judge=["shift", "promote"]), token=answer("shift", step=0))
    follows = ran.states.index("What follows the smoke test?")
    assert ran.states[follows + 1 : follows + 5] == APPROVAL


def test_a_person_can_be_asked_before_full_traffic() -> None:
    ran = run(Script(judge=["shift", "ask", "shift", "promote"]), token=answer("shift", step=1))
    says = ran.states.index("What does the bake say?")
    assert ran.states[says + 1 : says + 5] == APPROVAL
    assert ran.states[-1] == "Promoted"


def test_who_is_asked_gets_the_question_its_step_and_the_token() -> None:
    tokens: list[tuple[str, int]] = []

    def approve(token: str, seconds: int) -> Answer:
        tokens.append((token, seconds))
        return answer("shift")

    asked = answer("ask", sentence="May it?", step=3, wait_seconds=600)
    ran = Engine(filled(), Script(judge=[asked, "shift", "promote"]).functions(), on_token=approve).run()
    ((_, event),) = [each for each in ran.invocations if each[1]["task"] == "ask"]
    assert (event["sentence"], event["step"]) == ("May it?", 3)
    assert tokens == [(event["token"], 600)]


@pytest.mark.parametrize("token", [answer("shift"), None])
def test_a_look_that_finds_a_reason_against_it_goes_back_whatever_a_person_said(token: Answer) -> None:
    ran = run(Script(judge=["ask", answer("roll_back", sentence="Nobody approved it within 10 s.")]), token=token)
    assert sentence_to_restore(ran) == "Nobody approved it within 10 s."
    assert (ran.error, ran.states[-len(BACK) :]) == ("RolledBack", BACK)
    assert "Shift the traffic" not in ran.states


def test_a_question_that_was_stopped_goes_back_without_a_look_and_says_why() -> None:
    script = Script(**ASKING)
    ran = run(script, token=Refusal("RolloutStopped", "An alarm fired."))
    assert sentence_to_restore(ran) == '{"Error":"RolloutStopped","Cause":"An alarm fired."}'
    assert (ran.error, ran.states[-len(BACK) :]) == ("RolledBack", BACK)
    assert not {"Shift the traffic", "Judge the approval"} & set(ran.states)


def test_an_approval_is_waited_for_as_long_as_the_look_before_said() -> None:
    waited: list[int] = []
    run(
        Script(judge=[answer("ask", wait_seconds=600), answer("ask", wait_seconds=240), "roll_back"]),
        on_wait=waited.append,
    )
    assert [seconds for seconds in waited if seconds != 30] == [600, 240]


# --- Pause ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ({"shift": ["shifted", answer("paused", wait_seconds=77), "shifted"]}, "Is the traffic shifted?"),
        ({"promote": [answer("paused", wait_seconds=77), "promoted"]}, "Is it promoted?"),
    ],
)
def test_what_a_pause_held_up_is_decided_anew_by_the_next_look(lines: dict[str, list[Line]], state: str) -> None:
    word = "shift" if "shift" in lines else "promote"
    ran = run(Script(judge=["shift", word, word, "promote"], **lines))
    held = [place for place, name in enumerate(ran.states) if name == state][1 if word == "shift" else 0]
    assert ran.states[held + 1 : held + 4] == ["Bake", "Judge the bake", "What does the bake say?"]
    assert ran.waits.count(77) == 1
    assert ran.states[-1] == "Promoted"


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
    assert script.calls.count(task_of(name)) == (2 if name in ("Judge the bake", "Judge the approval") else 1)


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
        ({"restore": [DeploymentFailed("a mistake")]}, {"restore": 31}),
        ({"restore": [StoreUnavailable("busy")]}, {"restore": 31}),
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
    assert len(ran.events()) == (task == "release")


@pytest.mark.parametrize("promoted", [True, False])
def test_an_announcement_that_fails_tells_a_person(promoted: bool) -> None:
    script = Script() if promoted else Script(promote=["roll_back"])
    ran = run(script, failing=["events:putEvents"])
    assert (ran.error, ran.states[-2:]) == ("LeftUntidy", LEFT_UNTIDY)
    assert len(ran.published()) == 1
    assert "release" not in script.calls


@pytest.mark.parametrize("promoted", [True, False])
@pytest.mark.parametrize("task", ["remove", "release"])
def test_housekeeping_that_says_something_new_tells_a_person(task: str, promoted: bool) -> None:
    lines: dict[str, list[Line]] = {task: ["what"]}
    script = Script(**lines) if promoted else Script(promote=["roll_back"], **lines)
    ran = run(script)
    assert (ran.states[-2:], script.calls[-1]) == (LEFT_UNTIDY, task)


@pytest.mark.parametrize("promoted", [True, False])
@pytest.mark.parametrize("task", ["remove", "release"])
def test_housekeeping_that_is_another_s_by_now_is_left_to_it(task: str, promoted: bool) -> None:
    lines: dict[str, list[Line]] = {task: ["superseded"]}
    script = Script(**lines) if promoted else Script(promote=["roll_back"], **lines)
    ran = run(script)
    assert (ran.error, ran.states[-1], script.calls[-1], ran.published()) == ("Superseded", "Superseded", task, [])
    assert len(ran.events()) == (task == "release")


def test_leftovers_that_nobody_can_be_told_of_change_nothing() -> None:
    ran = run(Script(release=[DeploymentFailed("no")]), failing=["sns:publish"])
    assert (ran.error, ran.states[-2:]) == ("LeftUntidy", LEFT_UNTIDY)
