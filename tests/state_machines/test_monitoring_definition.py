"""What is true of the committed machine `monitoring` alone by its structure, whatever its functions answer."""

from __future__ import annotations

from fraud.services.schedule_upkeep import LOOK_SECONDS, PATIENCE
from tests.fakes.monitoring_world import MonitoringWorld
from tests.state_machines.machines import of_type
from tests.state_machines.monitoring_script import MACHINE, RUN, STATES, MonitoringScript, answer
from tests.state_machines.structure import inputs, outputs

HOUR = 3_600


def test_each_question_knows_these_answers() -> None:
    choices = of_type(MonitoringScript, "Choice")
    known = {name: {rule["StringEquals"] for rule in state["Choices"]} for name, state in choices.items()}
    assert known == {
        "Is there a run to begin?": {"assemble", "schedules", "under_way", "no_model", "refused", "superseded"},
        "Is the reference chosen?": {"baseline", "superseded"},
        "Is the baseline job done?": {"done", "wait", "superseded"},
        "Does the baseline stand?": {"schedules", "superseded"},
        "Are the schedules settled?": {"settled", "wait", "superseded"},
        "Is the liveness checked?": {"checked", "superseded"},
        "How did it end?": {"refreshed", "unchanged", "silent", "failed", "superseded"},
        "Is the lock free again?": {"failed", "superseded"},
    }


def test_a_run_succeeds_that_changed_something_or_found_nothing_to_do() -> None:
    assert set(of_type(MonitoringScript, "Succeed")) == {
        "Monitoring refreshed",
        "Nothing to change",
        "Already under way",
        "No model serves yet",
    }


def test_every_failure_has_a_name() -> None:
    failures = of_type(MonitoringScript, "Fail")
    assert {name: state["Error"] for name, state in failures.items()} == {
        "Refused": "Refused",
        "Superseded": "Superseded",
        "Monitoring is silent": "MonitoringSilent",
        "Refresh failed": "RefreshFailed",
        "Lock left": "LockLeft",
    }


def test_a_baseline_that_stands_needs_neither_a_query_nor_a_job() -> None:
    rules = STATES["Is there a run to begin?"]["Choices"]
    assert [rule["Next"] for rule in rules if rule["StringEquals"] == "schedules"] == ["Replace the schedules"]


def test_schedules_have_time_to_settle_beside_the_longest_query_and_job() -> None:
    waited_for = [each["TimeoutSeconds"] for each in STATES.values() if str(each.get("Resource")).endswith(".sync")]
    assert sum(waited_for) + PATIENCE + 2 * HOUR < MACHINE["TimeoutSeconds"]


def test_looks_at_schedules_fit_into_the_history_until_patience_is_over() -> None:
    waits = [answer("wait", wait_seconds=LOOK_SECONDS)] * (PATIENCE // LOOK_SECONDS + 1)
    ran = MonitoringScript(replace_schedules=[*waits, "settled"]).run()
    assert (ran.status, sum(ran.waits)) == ("SUCCEEDED", PATIENCE + LOOK_SECONDS)
    assert len(ran.history) < 1_500


def test_the_baseline_job_is_named_and_reads_and_writes_as_the_run_says() -> None:
    (_, query), (_, job) = MonitoringScript().run().jobs
    assert query["QueryString"] == RUN["query"]
    assert job["ProcessingJobName"] == RUN["baseline_name"]
    assert inputs(job) == {
        "/opt/ml/processing/input/source": RUN["source_uri"],
        "/opt/ml/processing/input/rows": RUN["reference_uri"],
        "/opt/ml/processing/input/champion": RUN["champion_uri"],
    }
    assert outputs(job) == {"/opt/ml/processing/output": RUN["baseline_uri"]}


def test_the_function_answers_a_run_as_the_script_does() -> None:
    answered = MonitoringWorld().with_champion().do("lock")
    assert answered.next == "assemble"
    assert answered.run.keys() == RUN.keys()
