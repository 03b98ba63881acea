"""What becomes of the data and of the candidate: findings turned into outcomes, and a version in the registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from fraud import dataset_checks, evaluation, model_package
from fraud.dataset_checks import Checks
from fraud.deployment_ports import Evidence, PackageStore, RoutingStore
from fraud.errors import InvalidEvidence, InvalidPackage
from fraud.evaluation import Evaluation, Judgement, Verdict
from fraud.machine_task import Answer, Task
from fraud.model_package import LARGEST_ARTEFACT
from fraud.retraining import Files, Outcome, Retraining
from fraud.retraining_ports import RunFiles
from fraud.services.packages import Packages
from fraud.services.retraining_records import RetrainingRecords
from fraud.transaction import rfc3339

LARGEST_REPORT = 32 * 1024 * 1024
QUERY, PLAN = "training_set.sql", "retraining_plan.json"
"""Kept beside the model, as its evaluation is: what it was learned from, and how."""


@dataclass(frozen=True)
class RetrainingJudgement:
    """The use-case behind `judge_retraining`.

    Args:
        records: the run.
        files: of the run.
        artefacts: of models.
        packages: registers what may be served.
        routing: says who the champion is by now.
        bucket: the archive.
        job_prefix: what jobs' names begin with.
        commit: of what is deployed; empty where that is not known.
    """

    records: RetrainingRecords
    files: RunFiles
    artefacts: PackageStore
    packages: Packages
    routing: RoutingStore
    bucket: str
    job_prefix: str
    commit: str

    # --- Data ---------------------------------------------------------------------------------------------------------

    def data(self, task: Task) -> Answer:
        """`train`, or `not_enough` or `unfit` and why.

        Raises:
            InvalidEvidence: the examination left nothing that can be read.
            RetrainingSuperseded: the run is over, or another's.
            RetrainingMoved, StoreUnavailable: ask again.
        """
        record = self.records.owned(task.execution)
        found = self._checks(self._files(task))
        outcome, said = dataset_checks.outcome(found), dataset_checks.told(found)
        if outcome is dataset_checks.Outcome.PASSED:
            self.records.tell(record, said)
            return Answer(next="train", sentence=said, run=task.run)
        self.records.tell(record, said, outcome=Outcome(outcome.value), sentence=said)
        return Answer(next=outcome.value, sentence=said, run=task.run)

    def _checks(self, files: Files) -> Checks:
        uri = f"{files.examined}{dataset_checks.DOCUMENT}"
        return dataset_checks.parse(self.files.read(uri, dataset_checks.LARGEST_DOCUMENT))

    # --- Candidate ----------------------------------------------------------------------------------------------------

    def candidate(self, task: Task) -> Answer:
        """Judge the candidate and, unless it is rejected, register it: `judged`.

        Raises:
            InvalidEvidence: the evaluation left nothing that can be read, or is not about this run's models.
            RetrainingSuperseded: the run is over, or another's.
            RetrainingMoved, DeploymentInterrupted, StoreUnavailable: ask again; what was registered is found again.
        """
        record, files = self.records.owned(task.execution), self._files(task)
        text = self.files.read(f"{files.evaluated}{evaluation.DOCUMENT}", evaluation.LARGEST_DOCUMENT)
        found = _of(record, evaluation.parse(text))
        judgement = self._in_force(record, evaluation.judge(found, record.plan))
        package = ""
        if judgement.verdict is not Verdict.REJECT:
            try:
                package = self._registered(record, files, found, judgement, task.run)
            except InvalidPackage as error:
                judgement = Judgement(Verdict.REJECT, (f"It cannot be served: {error}.",))
        outcome, said = Outcome(judgement.verdict.value), judgement.sentence
        self.records.tell(record, said, outcome=outcome, sentence=said, model_package=package)
        return Answer(next="judged", sentence=said, run=task.run)

    def _in_force(self, record: Retraining, judgement: Judgement) -> Judgement:
        """The judgement, unless somebody else is champion by now: against that one nothing was measured."""
        routing = self.routing.read()
        champion = routing.slots[routing.champion].model_package if routing else ""
        if champion == record.champion or judgement.verdict is Verdict.REJECT:
            return judgement
        said = f"{champion or 'No model'} serves by now, and the candidate was measured against another."
        return Judgement(Verdict.SHADOW_ONLY, (said, *judgement.reasons))

    def _registered(
        self, record: Retraining, files: Files, found: Evaluation, judgement: Judgement, run: Mapping[str, Any]
    ) -> str:
        artefact = self.artefacts.read(files.artefact, LARGEST_ARTEFACT)
        document = model_package.parse(model_package.document_in(artefact))
        if document.model_sha256 != found.candidate.model_sha256:
            raise InvalidEvidence("the evaluation is about another model than the one that was trained")
        name = model_package.digest(artefact)[:16]
        evidence = Evidence(
            description=f"{judgement.verdict}: {judgement.sentence}",
            commit=self.commit,
            generated_by=record.owner,
            lineage=dict(self._lineage(record, files, found, judgement, run)),
            **self._kept(name, record, files, run),
        )
        approved = judgement.verdict is Verdict.PROMOTE and record.plan.approval == "automatic"
        return self.packages.register(artefact, approved=approved, evidence=evidence)

    def _kept(self, name: str, record: Retraining, files: Files, run: Mapping[str, Any]) -> dict[str, str]:
        """Copies beside the model, which outlive the files of the run; the URI of each."""
        found = {
            "evaluation_uri": (evaluation.DOCUMENT, self._written(files, evaluation.DOCUMENT)),
            "report_uri": (evaluation.REPORT, self._written(files, evaluation.REPORT)),
            "card_uri": (evaluation.CARD, self._written(files, evaluation.CARD)),
            "query_uri": (QUERY, str(run.get("query", "")).encode()),
            "plan_uri": (PLAN, msgspec.json.format(msgspec.json.encode(record.plan), indent=1)),
        }
        return {kind: self.artefacts.write(f"{name}/{file}", content) for kind, (file, content) in found.items()}

    def _written(self, files: Files, document: str) -> bytes:
        return self.files.read(f"{files.evaluated}{document}", LARGEST_REPORT)

    def _lineage(
        self, record: Retraining, files: Files, found: Evaluation, judgement: Judgement, run: Mapping[str, Any]
    ) -> Iterator[tuple[str, str]]:
        checks = self._checks(files)
        yield "verdict", judgement.verdict.value
        yield "trigger", str(record.trigger)
        yield "execution", record.owner
        yield "training_job", files.job("train")
        yield "source_uri", str(run.get("source_uri", ""))
        yield "dataset_uri", files.dataset
        yield "data_source", record.source
        yield "data_as_of", rfc3339(record.as_of)
        yield "learned_from", checks.learning.first_at
        yield "learned_to", checks.learning.last_at
        yield "measured_from", found.first_at
        yield "measured_to", found.last_at
        yield "champion", record.champion or "none"

    def _files(self, task: Task) -> Files:
        return Files(self.bucket, self.job_prefix, task.execution, task.execution_name)


def _of(record: Retraining, found: Evaluation) -> Evaluation:
    """The evaluation, if it is the run's: without its champion, or its source, anything would be promoted."""
    champion = found.champion.model_package if found.champion else ""
    if champion != record.champion:
        against, instead = record.champion or "no model", champion or "none"
        raise InvalidEvidence(f"the candidate was to be measured against {against}, and was against {instead}")
    if found.source != record.source:
        raise InvalidEvidence(f"the rows were to come from the {record.source}, and came from the {found.source}")
    return found
