"""The machine `rollout`: from an approved model package to the champion, or back.

It orders, waits and retries; what follows is decided by the functions that it calls. Every task answers
`{next, sentence, wait_seconds, step, model_package_arn}`, kept as `$.answer`: all that a state may rest on. The
execution's input is passed on whole, because nothing of it has to be there.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from stepfunctions.steps import Succeed
from stepfunctions.steps.states import State

from state_machines import phases
from state_machines.phases import (
    DAY,
    FUNCTION_TIMEOUT,
    PERSISTENT,
    SLOW_FUNCTION_TIMEOUT,
    explain,
    failed,
    message,
    pause,
    until,
)
from state_machines.steps import (
    LAMBDA_ERRORS,
    Fail,
    Phase,
    Retry,
    Task,
    answers,
    entries,
    question,
    render,
    retry,
    sequence,
)

PREPARE = "${PrepareRolloutArn}"
DEPLOY = "${DeployChallengerArn}"
SHIFT = "${ShiftTrafficArn}"
JUDGE = "${JudgeRolloutArn}"
STEER = "${SteerRolloutArn}"

ANSWER = ("next", "sentence", "wait_seconds", "step", "model_package_arn")

LONGEST = 60 * DAY
"""Seconds of an execution: a fortnight's approval, pauses, and stages with room to spare."""

TRANSIENT = retry(*LAMBDA_ERRORS, "StoreUnavailable", "DeploymentInterrupted", "RolloutMoved")
UNVERIFIED = Retry(
    error_equals=["RollbackUnverified"], interval_seconds=10, max_attempts=6, backoff_rate=1.5, max_delay_seconds=60
)
"""Three minutes: decisions that were under way when traffic was restored must have come to their end."""

call = partial(phases.call, keep=ANSWER, retries=(TRANSIENT,))


def build() -> list[Phase]:
    """All phases; what others lead to when something goes wrong is built before them."""
    untidy, unverified, superseded = leave_untidy(), leave_unverified(), end_superseded()
    tidy, removal = tidy_up(untidy, superseded), remove_challenger(untidy, superseded)
    restore = restore_traffic(unverified, removal, tidy, superseded)
    failure = explain_failure(restore)
    return [*go_forward(failure, restore, tidy), failure, restore, removal, tidy, unverified, untidy]


def go_forward(failure: Phase, restore: Phase, tidy: Phase) -> list[Phase]:
    """The story: each phase ends in a question, and each answer leads to the next phase; any other one leads back."""
    check, lock = check_candidate(failure, restore), take_lock(failure, restore)
    deploy, smoke = bring_up(failure, restore), smoke_test(failure, restore)
    first, shadow = serve_first(failure, restore), run_shadow(failure, restore)
    (shift, bake), approval = shift_traffic(failure, restore), ask_for_approval(failure, restore)
    promote = promote_challenger(failure, restore)

    refused = end_refused()
    answers(check.exit, roll_out=lock.entry, nothing=end_with_nothing(), refused=refused)
    answers(lock.exit, locked=deploy.entry, under_way=end_already_under_way(), refused=refused)
    answers(deploy.exit, ready=smoke.entry)
    answers(smoke.exit, bootstrap=first.entry, shadow=shadow.entry, shift=shift.entry, ask=approval.entry)
    answers(first.exit, served=tidy.entry)
    answers(shadow.exit, shift=shift.entry, ask=approval.entry)
    answers(shift.exit, shift=shift.entry, ask=approval.entry, promote=promote.entry)
    answers(approval.exit, shift=shift.entry)
    answers(promote.exit, promoted=tidy.entry, paused=bake)

    return [check, lock, deploy, smoke, first, shadow, shift, approval, promote]


def definition() -> tuple[dict[str, Any], dict[str, str]]:
    """The machine in the States Language, and the first state of each phase by the phase's title."""
    built = build()
    comment = "Rolls a model out: shadow, rising shares of traffic, promotion; or all traffic back to the champion."
    return render(built, comment=comment, timeout_seconds=LONGEST), entries(built)


# --- The way forward --------------------------------------------------------------------------------------------------


def check_candidate(failure: Phase, restore: Phase) -> Phase:
    check = call(
        "Check the candidate",
        PREPARE,
        "check",
        failure,
        timeout=SLOW_FUNCTION_TIMEOUT,
        comment="Finds the model package, and says whether it may be served.",
    )
    found = question("Is there something to roll out?", otherwise=restore.entry)
    return Phase("Check", sequence(check, found), found)


def take_lock(failure: Phase, restore: Phase) -> Phase:
    lock = call(
        "Take the lock",
        PREPARE,
        "lock",
        failure,
        needs=("model_package_arn",),
        timeout=SLOW_FUNCTION_TIMEOUT,
        comment="Begins the rollout's record; while it is open no other rollout begins.",
    )
    taken = question("Is the lock taken?", otherwise=restore.entry)
    return Phase("Lock", sequence(lock, taken), taken)


def bring_up(failure: Phase, restore: Phase) -> Phase:
    deploy = call(
        "Bring up the endpoint",
        DEPLOY,
        "bring_up",
        failure,
        timeout=SLOW_FUNCTION_TIMEOUT,
        comment="Creates what the challenger's endpoint still lacks, and looks how far it is.",
    )
    in_service = question("Is the endpoint in service?", otherwise=restore.entry)
    return Phase("Deploy", until(deploy, in_service, pause("Wait for the endpoint", "It comes up.")), in_service)


def smoke_test(failure: Phase, restore: Phase) -> Phase:
    smoke = call(
        "Score the smoke vectors",
        DEPLOY,
        "smoke",
        failure,
        timeout=SLOW_FUNCTION_TIMEOUT,
        comment="Scores vectors whose scores are known from training, before any traffic.",
    )
    follows = question("What follows the smoke test?", otherwise=restore.entry)
    return Phase("Smoke test", sequence(smoke, follows), follows)


def serve_first(failure: Phase, restore: Phase) -> Phase:
    serve = call(
        "Serve the first model",
        SHIFT,
        "serve_first",
        failure,
        comment="Gives the model all traffic at once: there is no champion to compare it with, or to go back to.",
    )
    served = question("Is the first model served?", otherwise=restore.entry)
    return Phase("First model", sequence(serve, served), served)


def run_shadow(failure: Phase, restore: Phase) -> Phase:
    start = call(
        "Start the shadow",
        SHIFT,
        "shadow",
        failure,
        comment="From now on the challenger scores what the champion decides, and decides nothing.",
    )
    started = question("Is the shadow started?", otherwise=restore.entry)
    wait = pause("Shadow", "Until the next look at the shadow.")
    judge = call("Judge the shadow", JUDGE, "judge", failure, comment="Holds what the shadow saw against the gates.")
    says = question("What does the shadow say?", otherwise=restore.entry)
    answers(started, shadowing=wait)
    sequence(wait, judge, says)
    answers(says, hold=wait)
    return Phase("Shadow", sequence(start, started), says)


def shift_traffic(failure: Phase, restore: Phase) -> tuple[Phase, State]:
    """The phase, and its wait: a promotion that a pause holds up goes back there."""
    shift = call(
        "Shift the traffic",
        SHIFT,
        "shift",
        failure,
        needs=("step",),
        comment="Gives the challenger the share of cards that the plan has for this step.",
    )
    shifted = question("Is the traffic shifted?", otherwise=restore.entry)
    verify = call("Verify the shift", SHIFT, "verify", failure, comment="Reads the routing item back.")
    verified = question("Is the shift verified?", otherwise=restore.entry)
    bake = pause("Bake", "Until the next look at the decisions.")
    judge = call("Judge the bake", JUDGE, "judge", failure, comment="Holds its decisions against the gates.")
    says = question("What does the bake say?", otherwise=restore.entry)
    answers(shifted, shifted=verify, paused=bake)
    sequence(verify, verified)
    answers(verified, verified=bake)
    sequence(bake, judge, says)
    answers(says, hold=bake)
    return Phase("Shift", sequence(shift, shifted), says), bake


def ask_for_approval(failure: Phase, restore: Phase) -> Phase:
    judge = call(
        "Judge the approval",
        JUDGE,
        "judge",
        failure,
        comment="Looks for the answer, and holds what was decided meanwhile against the gates.",
    )
    ask = call(
        "Ask for approval",
        STEER,
        "ask",
        failure,
        needs=("step", "sentence"),
        timeout="$.answer.wait_seconds",
        waits=True,
        catches={"States.Timeout": judge},
        comment="Asks a person, and waits for the answer until the next look.",
    )
    says = question("What does the approval say?", otherwise=restore.entry)
    sequence(ask, judge, says)
    answers(says, ask=ask)
    return Phase("Approval", ask, says)


def promote_challenger(failure: Phase, restore: Phase) -> Phase:
    promote = call("Promote the challenger", SHIFT, "promote", failure, comment="Makes the challenger the champion.")
    promoted = question("Is it promoted?", otherwise=restore.entry)
    return Phase("Promotion", sequence(promote, promoted), promoted)


# --- After a promotion: nothing leads back any more -------------------------------------------------------------------


def tidy_up(untidy: Phase, superseded: State) -> Phase:
    gone = question("Is the former champion gone?", otherwise=untidy.entry)
    remove = call(
        "Remove the former champion",
        DEPLOY,
        "remove",
        untidy,
        timeout=SLOW_FUNCTION_TIMEOUT,
        comment="Deletes the endpoint that serves nobody any more.",
    )
    promoted = Succeed("Promoted", comment="The challenger is the champion.")
    release = unlock("Release the lock", "Is the lock released?", untidy, superseded, promoted)
    announce = announcement("Announce the promotion", "Model Promoted", untidy)
    answers(gone, removed=sequence(announce, release), superseded=superseded)
    entry = until(remove, gone, pause("Wait for the former champion", "The endpoint is being deleted."))
    return Phase("Tidying up after a promotion", entry, promoted)


# --- The way back -----------------------------------------------------------------------------------------------------


def explain_failure(restore: Phase) -> Phase:
    explained = explain(
        "Explain the failure",
        "roll_back",
        comment="Turns an error into an answer, so that the way back needs to know nothing of errors.",
        step=-1,
        model_package_arn="",
    )
    return Phase("Failure", sequence(explained, restore.entry), explained)


def restore_traffic(unverified: Phase, removal: Phase, tidy: Phase, superseded: State) -> Phase:
    verify = verify_rollback(unverified)
    restore = call(
        "Restore the traffic",
        SHIFT,
        "restore",
        unverified,
        needs=("sentence",),
        retries=(PERSISTENT,),
        comment="Gives all traffic back to the champion, and notes why.",
    )
    restored = question("Is the traffic restored?", otherwise=verify)
    verified = question("Is the rollback verified?", otherwise=unverified.entry)
    answers(restored, restored=verify, promoted=tidy.entry, superseded=superseded)
    answers(verified, verified=removal.entry, superseded=superseded)
    sequence(verify, verified)
    return Phase("Rollback", sequence(restore, restored), verified)


def verify_rollback(unverified: Phase) -> Task:
    return call(
        "Verify the rollback",
        SHIFT,
        "verify_rollback",
        unverified,
        retries=(UNVERIFIED, TRANSIENT),
        comment="Sees whether the champion serves alone, and answers.",
    )


def remove_challenger(untidy: Phase, superseded: State) -> Phase:
    gone = question("Is the challenger gone?", otherwise=untidy.entry)
    remove = call(
        "Remove the challenger",
        DEPLOY,
        "remove",
        untidy,
        timeout=SLOW_FUNCTION_TIMEOUT,
        comment="Deletes the challenger's endpoint.",
    )
    rolled_back = failed("Rolled back", "RolledBack", "The champion serves alone again; the challenger is gone.")
    release = unlock("Release the lock after the rollback", "Is the lock free again?", untidy, superseded, rolled_back)
    announce = announcement("Announce the rollback", "Rollout Rolled Back", untidy)
    answers(gone, removed=sequence(announce, release), superseded=superseded)
    entry = until(remove, gone, pause("Wait for the challenger", "The endpoint is being deleted."))
    return Phase("Tidying up after a rollback", entry, rolled_back)


def leave_unverified() -> Phase:
    unverified = Fail(
        "Rollback unverified",
        error="RollbackUnverified",
        cause="Nobody knows that the champion serves alone: a person has to look.",
        comment="The rollout stays open, so that no other begins.",
    )
    page = message(
        "Page a person",
        "Rollout: the rollback is not verified",
        "Execution {} could not see that all traffic is back with the champion. Look at once. What is known: {}",
        unverified,
        comment="Calls whoever is on call to see where the traffic goes.",
    )
    return Phase("Unverified", sequence(page, unverified), unverified)


def leave_untidy() -> Phase:
    untidy = Fail(
        "Left untidy",
        error="LeftUntidy",
        cause="Traffic is where it belongs; an endpoint, the lock or the announcement is left to a person.",
        comment="What is left costs money or blocks the next rollout, and harms no decision.",
    )
    page = message(
        "Page about the leftovers",
        "Rollout: something is left to tidy up",
        "Execution {} left an endpoint, the lock or the announcement undone; traffic is right. What is known: {}",
        untidy,
        comment="Asks a person to tidy up.",
    )
    return Phase("Leftovers", sequence(page, untidy), untidy)


# --- Ends without a rollout -------------------------------------------------------------------------------------------


def end_with_nothing() -> State:
    return Succeed("Nothing to roll out", comment="The newest approved package serves already, or there is none.")


def end_already_under_way() -> State:
    return Succeed("Already under way", comment="Another execution holds the lock; it is left alone.")


def end_refused() -> State:
    return failed("Refused", "Refused", "The package, the plan or the moment does not allow a rollout.")


def end_superseded() -> State:
    return failed("Superseded", "Superseded", "The rollout is over, or another's by now; this one changes nothing.")


# --- What states are made of ------------------------------------------------------------------------------------------


def unlock(state_id: str, asks: str, untidy: Phase, superseded: State, end: State) -> State:
    """Close the record; returns the first state. Last of all: whoever ends this execution before sees it is open."""
    release = call(state_id, SHIFT, "release", untidy, comment="Closes the rollout's record: another one may begin.")
    released = question(asks, otherwise=untidy.entry)
    answers(released, released=end, superseded=superseded)
    return sequence(release, released)


def announcement(state_id: str, detail_type: str, untidy: Phase) -> Task:
    """An event on the bus; the answer before it stays."""
    execution = {"rollout_id.$": "$$.Execution.Name", "execution.$": "$$.Execution.Id"}
    answer = {"sentence.$": "$.answer.sentence", "model_package_arn.$": "$.answer.model_package_arn"}
    event = {"EventBusName": "${EventBusName}", "Source": "fraud.rollouts", "DetailType": detail_type}
    return Task(
        state_id,
        resource="arn:aws:states:::events:putEvents",
        parameters={"Entries": [event | {"Detail": execution | answer}]},
        result_path=None,
        timeout=FUNCTION_TIMEOUT,
        retries=(PERSISTENT,),
        on_error=untidy.entry,
        comment=f"Puts the event “{detail_type}” on the bus.",
    )
