"""What becomes of the data and of the candidate, and what the registry is told."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from fraud.deployment_ports import Approval, Evidence
from fraud.errors import (
    DeploymentFailed,
    DeploymentInterrupted,
    InvalidEvidence,
    RetrainingMoved,
    RetrainingSuperseded,
    StoreUnavailable,
)
from fraud.model_package import digest
from fraud.retraining import Outcome
from fraud.retraining_plan import Plan
from tests.deployment import packages
from tests.fakes.faults import Crash
from tests.fakes.retraining_findings import (
    BETTER,
    ENOUGH,
    LEAK,
    LEARNED,
    MEASURED,
    SHORT,
    UNCLEAR,
    WORSE,
    Findings,
    artefact,
)
from tests.fakes.retraining_world import COMMIT, RetrainingWorld, execution, files, task
from tests.retraining.stages import FIRST, SECOND, begun, chosen, evaluated, judged, released

MODEL = artefact(files().job("train"))
"""What the execution `first` trains."""
BESIDE = f"s3://archive/models/{digest(MODEL)[:16]}"
AS_OF = "2025-06-15T15:06:40.000Z"


def examined(*found: Any) -> tuple[RetrainingWorld, dict[str, Any]]:
    """The examination is done."""
    world, answer = chosen()
    Findings(found).examine(world.files.held, answer.run)
    return world, answer.run


# --- Data -------------------------------------------------------------------------------------------------------------


def test_data_that_passes_is_learned_from() -> None:
    world, run = examined(ENOUGH)
    answer = world.judgement.data(task("data", run=run))
    assert (answer.next, answer.run, world.record.outcome) == ("train", run, None)
    assert (
        answer.sentence
        == world.events[-1]
        == ("90,000 transactions with 400 frauds to learn from, 9,000 with 60 to measure on.")
    )


@pytest.mark.parametrize(
    ("found", "outcome", "sentence"),
    [
        ([SHORT], Outcome.NOT_ENOUGH, SHORT.sentence),
        ([LEAK], Outcome.UNFIT, LEAK.sentence),
        ([ENOUGH, SHORT, LEAK], Outcome.UNFIT, LEAK.sentence),
        ([], Outcome.UNFIT, "Nothing was checked."),
    ],
)
def test_data_that_does_not_pass_is_no_outcome_to_learn_from(
    found: Sequence[Any], outcome: Outcome, sentence: str
) -> None:
    world, run = examined(*found)
    answer = world.judgement.data(task("data", run=run))
    assert (answer.next, answer.sentence) == (outcome.value, sentence)
    assert (world.record.outcome, world.record.sentence, world.record.is_over) == (outcome, sentence, False)


@pytest.mark.parametrize("text", [None, b"", b"{}", b'{"schema_version": 2}', b"\xff"])
def test_data_examination_that_cannot_be_read_fails_for_good(text: bytes | None) -> None:
    world, run = examined(ENOUGH)
    world.files.held.pop(f"{run['examined_uri']}checks.json")
    if text is not None:
        world.files.held[f"{run['examined_uri']}checks.json"] = text
    before = world.record
    with pytest.raises(InvalidEvidence, match=r"checks\.json"):
        world.judgement.data(task("data", run=run))
    assert world.record == before


# --- Candidate --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gain", "approval", "outcome", "standing"),
    [
        (BETTER, "automatic", Outcome.PROMOTE, Approval.APPROVED),
        (BETTER, "manual", Outcome.PROMOTE, Approval.PENDING),
        (UNCLEAR, "automatic", Outcome.SHADOW_ONLY, Approval.PENDING),
        (UNCLEAR, "manual", Outcome.SHADOW_ONLY, Approval.PENDING),
    ],
)
def test_candidate_that_is_not_rejected_is_registered(
    gain: Sequence[float], approval: str, outcome: Outcome, standing: Approval
) -> None:
    world = judged(Findings(gain=gain), approval=approval)
    _, version = world.registry.versions
    assert (version.model_package, version.approval) == (SECOND, standing)
    assert world.objects.held[version.artefact_uri] == MODEL
    assert (world.record.outcome, world.record.model_package, world.record.is_over) == (outcome, SECOND, False)
    assert world.record.sentence == world.events[-1]


def test_candidate_that_is_worse_is_not_registered() -> None:
    world = judged(Findings(gain=WORSE))
    assert (world.record.outcome, world.record.model_package) == (Outcome.REJECT, "")
    assert world.record.sentence.startswith("It is worse: -0.050")
    assert [each.model_package for each in world.registry.versions] == [FIRST]
    assert not [uri for uri in world.files.held if uri.startswith(BESIDE)]


def test_candidate_without_a_champion_is_registered_and_approved() -> None:
    world = judged(champion=False)
    [version] = world.registry.versions
    assert (version.approval, world.record.outcome) == (Approval.APPROVED, Outcome.PROMOTE)
    assert world.record.sentence == "No model serves yet; its average precision is 0.400."


def test_candidate_of_the_simulator_waits_for_a_person() -> None:
    world = judged(rows=False, champion=False, cold_start="simulator")
    [version] = world.registry.versions
    assert (version.approval, world.record.outcome) == (Approval.PENDING, Outcome.SHADOW_ONLY)
    lineage = evidence(world, version.model_package).lineage
    assert (lineage["data_source"], lineage["champion"]) == ("simulator", "none")


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (b"no archive", "the artefact cannot be read"),
        (packages.archive({"code/inference.py": b""}), r"the artefact lacks code/inference\.py"),
        (packages.archive(contract={"names": ["a", "b"], "hash": "0"}), "features that this code does not compute"),
        (None, "there is no object s3://archive/retraining/first/model/"),
    ],
)
def test_candidate_that_cannot_be_served_is_rejected(model: bytes | None, words: str) -> None:
    world, run = evaluated()
    world.files.held.pop(run["artefact_uri"])
    if model is not None:
        world.files.held[run["artefact_uri"]] = model
    assert world.judgement.candidate(task("candidate", run=run)).next == "judged"
    assert (world.record.outcome, world.record.model_package) == (Outcome.REJECT, "")
    assert re.match(f"It cannot be served: .*{words}", world.record.sentence)
    assert len(world.registry.versions) == 1


def test_candidate_evaluation_of_another_model_fails_for_good() -> None:
    world, run = evaluated()
    another = {"model_package": "", "model_sha256": "0" * 64, "metrics": {"average_precision": 0.9, "ece": 0.0}}
    rewrite(world, run, candidate=another)
    with pytest.raises(InvalidEvidence, match="another model than the one that was trained"):
        world.judgement.candidate(task("candidate", run=run))
    check_nothing_came_of_it(world)


def test_candidate_evaluation_without_the_champion_fails_for_good() -> None:
    """Else it would be promoted as the first model of all."""
    world, run = evaluated()
    rewrite(world, run, champion=None, gains={})
    with pytest.raises(InvalidEvidence, match=f"to be measured against {FIRST}, and was against none"):
        world.judgement.candidate(task("candidate", run=run))
    check_nothing_came_of_it(world)


def test_candidate_evaluation_on_rows_of_another_source_fails_for_good() -> None:
    """Else a model that learned from the simulator would be approved by itself."""
    world, run = evaluated(rows=False, cold_start="simulator")
    rewrite(world, run, source="archive")
    with pytest.raises(InvalidEvidence, match="to come from the simulator, and came from the archive"):
        world.judgement.candidate(task("candidate", run=run))
    check_nothing_came_of_it(world)


@pytest.mark.parametrize("document", ["evaluation.json", "report.html", "model_card.md"])
def test_candidate_evidence_that_is_not_there_fails_for_good(document: str) -> None:
    world, run = evaluated()
    del world.files.held[f"{run['evaluated_uri']}{document}"]
    with pytest.raises(InvalidEvidence, match=f"there is no object .*{document}"):
        world.judgement.candidate(task("candidate", run=run))
    check_nothing_came_of_it(world)


def rewrite(world: RetrainingWorld, run: dict[str, Any], **fields: Any) -> None:
    """The evaluation says something else."""
    uri = f"{run['evaluated_uri']}evaluation.json"
    world.files.held[uri] = json.dumps(json.loads(world.files.held[uri]) | fields).encode()


def check_nothing_came_of_it(world: RetrainingWorld) -> None:
    assert [each.model_package for each in world.registry.versions] == [FIRST]
    assert (world.record.outcome, world.record.is_over) == (None, False)


@pytest.mark.parametrize("gain", [BETTER, UNCLEAR])
def test_candidate_measured_against_a_former_champion_goes_no_further_than_the_shadow(gain: Sequence[float]) -> None:
    world, run = evaluated(Findings(gain=gain))
    world.with_champion()
    answer = world.judgement.candidate(task("candidate", run=run))
    said, why = f"{SECOND} serves by now, and the candidate was measured against another. ", answer.sentence
    assert why.startswith((f"{said}It is better: ", f"{said}Whether it is better cannot be told: "))
    assert (world.record.outcome, world.registry.versions[-1].approval) == (Outcome.SHADOW_ONLY, Approval.PENDING)


def test_candidate_worse_than_a_former_champion_stays_rejected() -> None:
    world, run = evaluated(Findings(gain=WORSE))
    world.with_champion()
    assert world.judgement.candidate(task("candidate", run=run)).sentence.startswith("It is worse")
    assert world.record.outcome is Outcome.REJECT


def test_candidate_of_a_stack_whose_champion_is_gone_goes_no_further_than_the_shadow() -> None:
    world, run = evaluated()
    world.routing = None
    answer = world.judgement.candidate(task("candidate", run=run))
    assert answer.sentence.startswith("No model serves by now")
    assert world.registry.versions[-1].approval is Approval.PENDING


# --- Evidence ---------------------------------------------------------------------------------------------------------


def evidence(world: RetrainingWorld, model_package: str = SECOND) -> Evidence:
    found = world.registry.evidence[model_package]
    assert found is not None
    return found


def test_candidate_evidence_lies_beside_the_model() -> None:
    world, run = evaluated(training_days=60)
    world.judgement.candidate(task("candidate", run=run))
    told, held = evidence(world), world.objects.held
    assert told.evaluation_uri == f"{BESIDE}/evaluation.json"
    assert held[told.evaluation_uri] == held[f"{run['evaluated_uri']}evaluation.json"]
    assert (told.report_uri, held[told.report_uri]) == (f"{BESIDE}/report.html", b"<html>")
    assert (told.card_uri, held[told.card_uri]) == (f"{BESIDE}/model_card.md", b"# Card")
    assert (told.query_uri, held[told.query_uri]) == (f"{BESIDE}/training_set.sql", run["query"].encode())
    assert told.plan_uri == f"{BESIDE}/retraining_plan.json"
    assert msgspec.json.decode(held[told.plan_uri], type=Plan) == world.record.plan


def test_candidate_lineage_says_all_that_it_was_made_of() -> None:
    world, run = evaluated()
    world.judgement.candidate(task("candidate", run=run))
    told = evidence(world)
    assert (told.commit, told.generated_by) == (COMMIT, execution("first"))
    assert told.description == f"promote: {world.record.sentence}"
    assert told.lineage == {
        "verdict": "promote",
        "trigger": "a person",
        "execution": execution("first"),
        "training_job": run["train_name"],
        "source_uri": run["source_uri"],
        "dataset_uri": "s3://archive/retraining/first/dataset/",
        "data_source": "archive",
        "data_as_of": AS_OF,
        "learned_from": LEARNED[0],
        "learned_to": LEARNED[1],
        "measured_from": MEASURED[0],
        "measured_to": MEASURED[1],
        "champion": FIRST,
    }


# --- Interrupted ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "call", ["files.read", "artefacts.read", "artefacts.write", "registry.register", "routing.read", "store.save"]
)
def test_candidate_judged_again_after_a_crash_is_registered_once(call: str, moment: str) -> None:
    world, run = evaluated()
    {"before": world.faults.before, "after": world.faults.after}[moment](call, world.faults.count(call) + 1, Crash())
    with pytest.raises(Crash):
        world.judgement.candidate(task("candidate", run=run))
    assert world.judgement.candidate(task("candidate", run=run)).next == "judged"
    assert [each.model_package for each in world.registry.versions] == [FIRST, SECOND]
    assert (world.record.outcome, world.record.model_package) == (Outcome.PROMOTE, SECOND)
    assert evidence(world).lineage["execution"] == execution("first")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("registry.register", DeploymentInterrupted("registering the model: ThrottlingException")),
        ("registry.register", DeploymentFailed("registering the model: AccessDenied")),
        ("artefacts.write", DeploymentInterrupted("storing the model")),
        ("files.read", StoreUnavailable("GetObject")),
        ("store.save", RetrainingMoved("somebody else was faster")),
    ],
)
def test_candidate_that_cannot_be_registered_now_is_not_judged(call: str, error: Exception) -> None:
    world, run = evaluated()
    world.faults.before(call, world.faults.count(call) + 1, error)
    with pytest.raises(type(error)):
        world.judgement.candidate(task("candidate", run=run))
    assert world.record.outcome is None


@pytest.mark.parametrize("name", ["data", "candidate"])
def test_judgement_of_a_run_that_is_over_is_superseded(name: str) -> None:
    world = released()
    before = world.everything()
    with pytest.raises(RetrainingSuperseded, match="This execution's run is over"):
        getattr(world.judgement, name)(task(name, run={}))
    assert world.everything() == before


@pytest.mark.parametrize("name", ["data", "candidate"])
def test_judgement_without_the_lock_is_superseded_and_registers_nothing(name: str) -> None:
    world, run = evaluated()
    world.executions.running.clear()
    world.lock("second")
    before = world.everything()
    with pytest.raises(RetrainingSuperseded, match="does not hold the lock any more"):
        getattr(world.judgement, name)(task(name, run=run))
    assert world.everything() == before


def test_judgement_before_any_run_is_superseded() -> None:
    with pytest.raises(RetrainingSuperseded):
        RetrainingWorld().judgement.data(task("data"))


def test_judgement_of_a_run_under_way_without_its_jobs_fails_for_good() -> None:
    world = begun()
    with pytest.raises(InvalidEvidence):
        world.judgement.candidate(task("candidate", run={}))
