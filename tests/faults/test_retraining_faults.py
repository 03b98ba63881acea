"""Row 35 of the fault table, and what else befalls a retraining: a job that fails, and a lock that is lost.

A spot interruption is tested where a training is interrupted: `tests/local/test_training_jobs.py` and
`tests/model/test_checkpoints.py`. What becomes of an execution that dies is tested state by state in
`tests/state_machines/test_retraining_killed.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.stub import Stubber

from fraud.aws.jobs import SageMakerJobs
from fraud.errors import RetrainingMoved, RetrainingSuperseded, StoreUnavailable
from fraud.retraining import Outcome
from fraud.retraining_ports import JobPhase
from fraud.services.job_inspection import LOOK_SECONDS
from tests.fakes.retraining_findings import Findings
from tests.fakes.retraining_world import RetrainingWorld, execution, files, task
from tests.fakes.world import Stores
from tests.state_machines.engine import Run
from tests.state_machines.retraining_played import LOST, Execution, Workshop
from tests.state_machines.retraining_script import NO_MACHINE, THROTTLED

JOBS = ("examine", "train", "evaluate")
every_job = pytest.mark.parametrize("job", JOBS)
WHY = "AlgorithmError: there are no frauds"
MOMENTS = ["before", "after"]


@pytest.fixture
def shop() -> Workshop:
    return Workshop(RetrainingWorld().with_champion())


def check_went_well(shop: Workshop, ran: Run, name: str = "first") -> None:
    """One version more, and each job started once."""
    assert (ran.status, ran.states[-1]) == ("SUCCEEDED", "Registered for rollout")
    assert (shop.world.record.run_id, shop.world.record.outcome) == (name, Outcome.PROMOTE)
    assert [each for each in shop.started if each.startswith("fraud-")][-3:] == [files(name).job(each) for each in JOBS]
    shop.check_no_name_twice()


def check_failed(shop: Workshop, ran: Run, why: str) -> None:
    """The record says why, its lock is free, people are called, and nothing was registered."""
    assert (ran.status, ran.states[-1], ran.cause) == ("FAILED", "Retraining failed", why)
    record = shop.world.record
    assert (record.outcome, record.sentence, record.is_over) == (Outcome.FAILED, why, True)
    assert shop.world.bell.rung == [("Retraining: failed", f"first: {why}")]
    assert len(shop.world.registry.versions) == 1


# --- Row 35: the start is throttled -----------------------------------------------------------------------------------


@every_job
@pytest.mark.parametrize("trouble", [THROTTLED, NO_MACHINE], ids=["throttled", "no machine"])
def test_fault_35_job_that_is_refused_for_now_backs_off_and_is_started_once(
    shop: Workshop, job: str, trouble: Exception
) -> None:
    shop.troubles[job] = [trouble] * 3
    check_went_well(shop, Execution(shop).play())
    assert shop.world.jobs.asked == []


@every_job
def test_fault_35_job_that_is_throttled_to_the_end_was_never_started_and_fails_the_run(
    shop: Workshop, job: str
) -> None:
    shop.troubles[job] = [THROTTLED] * 100
    ran = Execution(shop).play()
    check_failed(shop, ran, f"{files().job(job)} did not start: SageMaker.AmazonSageMakerException: Rate exceeded")
    assert files().job(job) not in shop.started


# --- Row 35: the name exists ------------------------------------------------------------------------------------------


@every_job
def test_fault_35_job_whose_name_exists_and_that_runs_is_adopted(shop: Workshop, job: str) -> None:
    shop.troubles[job] = [LOST]
    ran = Execution(shop).play()
    check_went_well(shop, ran)
    assert (ran.waits, shop.world.jobs.asked) == ([LOOK_SECONDS], [(job, files().job(job))] * 2)


@every_job
def test_fault_35_job_whose_name_exists_and_that_is_done_is_adopted(shop: Workshop, job: str) -> None:
    shop.troubles[job] = [LOST]
    shop.world.faults.before("jobs.describe", 1, shop.work)
    ran = Execution(shop).play()
    check_went_well(shop, ran)
    assert ran.waits == []


@every_job
def test_fault_35_job_whose_name_exists_and_that_failed_fails_the_run_with_its_reason(shop: Workshop, job: str) -> None:
    shop.troubles[job], shop.failures[job] = [LOST], WHY
    shop.world.faults.before("jobs.describe", 1, shop.work)
    ran = Execution(shop).play()
    check_failed(shop, ran, f"{files().job(job)} failed: {WHY}")
    shop.check_no_name_twice()


@every_job
def test_fault_35_job_that_fails_after_it_was_adopted_fails_the_run_with_its_reason(shop: Workshop, job: str) -> None:
    shop.troubles[job], shop.failures[job] = [LOST], WHY
    ran = Execution(shop).play()
    check_failed(shop, ran, f"{files().job(job)} failed: {WHY}")
    assert ran.waits == [LOOK_SECONDS]


@every_job
def test_fault_35_job_that_nobody_tells_of_is_asked_for_again(shop: Workshop, job: str) -> None:
    shop.troubles[job] = [LOST]
    shop.world.faults.before("jobs.describe", 1, StoreUnavailable("DescribeTrainingJob: ThrottlingException"))
    check_went_well(shop, Execution(shop).play())


@every_job
def test_fault_35_job_of_an_earlier_run_is_not_adopted(shop: Workshop, job: str) -> None:
    """Its names are its own, whatever became of it."""
    shop.failures[job] = WHY
    Execution(shop).play()
    shop.failures.clear()
    check_went_well(shop, Execution(shop, "second").play(), "second")


# --- Row 35: what SageMaker says of it --------------------------------------------------------------------------------


@pytest.fixture
def sagemaker() -> Iterator[Stubber]:
    with Stubber(boto3.client("sagemaker")) as stub:
        yield stub
        stub.assert_no_pending_responses()


describing = pytest.mark.parametrize(
    ("job", "operation"), [("train", "describe_training_job"), ("examine", "describe_processing_job")]
)


@describing
@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "InternalFailure"])
def test_fault_35_job_that_sagemaker_does_not_tell_of_is_not_taken_for_absent(
    sagemaker: Stubber, job: str, operation: str, code: str
) -> None:
    sagemaker.add_client_error(operation, code)
    with pytest.raises(StoreUnavailable, match=code):
        SageMakerJobs(sagemaker.client).describe(job, "fraud-0-job")


@describing
def test_fault_35_job_that_sagemaker_does_not_know_was_never_started(
    sagemaker: Stubber, job: str, operation: str
) -> None:
    sagemaker.add_client_error(operation, "ValidationException", "Requested resource not found.")
    assert SageMakerJobs(sagemaker.client).describe(job, "fraud-0-job").phase is JobPhase.ABSENT


# --- A job that fails -------------------------------------------------------------------------------------------------


@every_job
def test_job_that_fails_ends_the_run_with_its_reason_and_the_next_run_goes_well(shop: Workshop, job: str) -> None:
    shop.failures[job] = WHY
    check_failed(shop, Execution(shop).play(), f"{files().job(job)} failed: {WHY}")
    shop.failures.clear()
    check_went_well(shop, Execution(shop, "second").play(), "second")


# --- A lost lock ------------------------------------------------------------------------------------------------------

LOCK = [("store.read", 1), ("routing.read", 1), ("registry.describe", 1), ("store.begin", 1)]
TAKE_OVER = [("store.read", 1), ("executions.is_running", 1), ("store.save", 1), *LOCK[1:]]
"""Calls of the task `lock` until the lock is taken, and which of their name they are: free, and of a dead execution."""


@pytest.fixture
def world(stores: Stores) -> RetrainingWorld:
    return RetrainingWorld(stores).with_champion()


def meet(world: RetrainingWorld, call: str, nth: int, moment: str, happening: object) -> None:
    """The so manieth call of a name from now on meets a rival."""
    number = world.faults.count(call) + nth
    {"before": world.faults.before, "after": world.faults.after}[moment](call, number, happening)


def lock(world: RetrainingWorld, name: str) -> str:
    """The word that an execution gets whose machine asks again where somebody was faster."""
    for _ in range(7):
        try:
            return world.lock(name).next
        except RetrainingMoved:
            continue
    raise AssertionError("it is never answered")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("call", "nth"), LOCK)
def test_lost_lock_rival_at_any_call_of_the_first_lock_leaves_one_holder(
    world: RetrainingWorld, call: str, nth: int, moment: str
) -> None:
    words: list[str] = []
    meet(world, call, nth, moment, lambda: words.append(lock(world, "second")))
    words.append(lock(world, "first"))
    check_one_holds(world, words)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("call", "nth"), TAKE_OVER)
def test_lost_lock_rival_at_any_call_of_a_takeover_leaves_one_holder(
    world: RetrainingWorld, call: str, nth: int, moment: str
) -> None:
    world.lock("dead")
    world.executions.running.clear()
    words: list[str] = []
    meet(world, call, nth, moment, lambda: words.append(lock(world, "second")))
    words.append(lock(world, "first"))
    check_one_holds(world, words)


def check_one_holds(world: RetrainingWorld, words: list[str]) -> None:
    assert sorted(words) == ["assemble", "under_way"]
    holder = "second" if words[0] == "assemble" else "first"
    assert world.record.owner == execution(holder)
    assert not world.record.is_over


@pytest.mark.parametrize("name", ["choose_data", "data", "candidate", "release"])
def test_lost_lock_every_task_is_superseded_and_changes_nothing(world: RetrainingWorld, name: str) -> None:
    run = all_jobs_done(world)
    taken(world)
    before, versions = world.record, list(world.registry.versions)
    use_case = {"choose_data": world.start, "release": world.end}.get(name, world.judgement)
    with pytest.raises(RetrainingSuperseded, match="must change nothing"):
        getattr(use_case, name)(task(name, run=run))
    assert (world.record, world.registry.versions, world.bell.rung) == (before, versions, [])


@pytest.mark.parametrize("name", ["choose_data", "data", "candidate", "release", "fail"])
def test_lost_lock_amid_a_task_leaves_the_newer_record_as_it_is(world: RetrainingWorld, name: str) -> None:
    """A function that was called before its execution was stopped works on for a moment."""
    run = all_jobs_done(world)
    meet(world, "store.save", 1, "before", lambda: taken(world))
    use_case = {"choose_data": world.start, "release": world.end, "fail": world.end}.get(name, world.judgement)
    with pytest.raises(RetrainingMoved):
        getattr(use_case, name)(task(name, run=run))
    assert (world.record.owner, world.record.outcome) == (execution("second"), None)
    assert len(world.record.events) == 1


def all_jobs_done(world: RetrainingWorld) -> dict[str, object]:
    """The execution `first` holds the lock, and its jobs are done."""
    run = world.lock().run
    world.files.held["s3://archive/retraining/first/dataset/part-0"] = b"rows"
    findings = Findings()
    for job in (findings.examine, findings.train, findings.evaluate):
        job(world.files.held, run)
    return run


def taken(world: RetrainingWorld) -> None:
    """The execution `first` counts as dead, and another takes its lock."""
    world.executions.running.clear()
    assert world.lock("second").next == "assemble"
