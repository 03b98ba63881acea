"""A look at what arrived: which window, what its job reads, and what follows from what it found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from fraud import dataset_query, machine_task, monitoring_findings, monitoring_plan, monitoring_task
from fraud.deployment_ports import Registry, RoutingStore
from fraud.errors import InvalidEvidence, MonitoringRefused
from fraud.machine_task import Answer, Task
from fraud.monitoring import MOST_FINDINGS, Baseline, Files, Watch
from fraud.monitoring_findings import (
    DOCUMENT,
    LARGEST_DOCUMENT,
    RUN,
    VIOLATIONS,
    Concern,
    Finding,
    Labels,
    Metric,
    Outcome,
)
from fraud.monitoring_plan import Plan
from fraud.monitoring_ports import MonitoringMetrics, RefreshStore, WatchStore
from fraud.monitoring_task import Request
from fraud.retraining_plan import DAY, HOUR
from fraud.retraining_ports import RunFiles
from fraud.routing import Routing
from fraud.services.job_code import JobCode
from fraud.transaction import rfc3339

NONE = "none"
LONGEST_WINDOW = 30 * DAY
CURRENT = 3 * HOUR
"""Seconds since a window's end within which it is about now, the look's own time included: alarms hear of no other."""
NUMBERS = (
    "fewest_rows", "fewest_frauds", "alpha", "least_psi", "least_ks", "least_share", "least_ratio", "least_volume",
    "quality_loss", "bias_gap", "most_parity_mismatches", "parity_entities", "most_rows", "maturity_days",
    "quality_days", "stale_days", "freshest_label_days",
)  # fmt: skip
"""Fields of the plan that the job is told."""


@dataclass(frozen=True, slots=True)
class Window:
    """What arrived after `since` and up to `until`, seconds since 1970."""

    since: float
    until: float


class Seen(NamedTuple):
    """What a look came to."""

    rows: int
    violations: tuple[Finding, ...]
    metrics: tuple[Metric, ...]
    labels: Labels | None
    sentence: str


@dataclass(frozen=True)
class WindowWatch:
    """The use-case behind `judge_window`.

    Args:
        refreshes: says which baseline stands.
        watches: what the last look came to.
        routing: says what serves.
        registry: says where artefacts lie.
        files: of the execution, in the archive bucket.
        code: of the jobs.
        metrics: where alarms look.
        clock: seconds since 1970.
        bucket: the archive.
        job_prefix: what jobs' names begin with.
        default_plan: of the stack; what a person asks for goes over it.
    """

    refreshes: RefreshStore
    watches: WatchStore
    routing: RoutingStore
    registry: Registry
    files: RunFiles
    code: JobCode
    metrics: MonitoringMetrics
    clock: Callable[[], float]
    bucket: str
    job_prefix: str
    default_plan: Mapping[str, Any]

    def choose_window(self, task: Task) -> Answer:
        """`assemble`; or `no_model`, or `no_baseline` of the champion.

        Without a model nothing can change, and alarms hear that; without a baseline nobody can tell. Either way
        somebody looked, so that monitoring is not called silent.

        Raises:
            MonitoringRefused, InvalidPlan: not asked for in a way that can be followed.
            InvalidPackage: what serves is not in the registry.
            DeploymentInterrupted, StoreUnavailable: ask again.
        """
        request = monitoring_task.request(task.input)
        plan = monitoring_plan.parse({**self.default_plan, **request.plan})
        window = _window(request, plan, self.clock())
        routing = self.routing.read()
        if routing is None:
            self._publish((*_counts(()), RUN), window.until)
            return Answer(next="no_model", sentence="No model serves yet: there is nothing to look at.")
        baseline = self._baseline(_champion(routing))
        if baseline is None:
            self._publish((RUN,), window.until)
            return Answer(next="no_baseline", sentence=f"{_champion(routing)} has no baseline yet: one is asked for.")
        said = f"From {rfc3339(window.since)} to {rfc3339(window.until)}."
        return Answer(next="assemble", sentence=said, run=self._run(task, plan, window, routing, baseline))

    def _baseline(self, champion: str) -> Baseline | None:
        refresh = self.refreshes.read()
        baseline = refresh.baseline if refresh else None
        return baseline if baseline and baseline.champion == champion else None

    def choose_data(self, task: Task) -> Answer:
        """`look` at what the query found, or `nothing`, which is a violation where there was traffic before.

        Raises:
            StoreUnavailable: ask again.
        """
        if not self.files.is_empty(self._files(task).dataset):
            return Answer(next="look", sentence="There is something to look at.", run=task.run)
        said = "Nothing arrived, in the window or in the days before it."
        baseline = self._baseline(str(task.run["champion"]))
        silence = (_silence(said),) if baseline is not None and baseline.rows else ()
        self._keep(task, Seen(rows=0, violations=silence, metrics=(*_counts(silence), RUN), labels=None, sentence=said))
        return Answer(next="nothing", sentence=said, run=task.run)

    def judge(self, task: Task) -> Answer:
        """`quiet` or `violated`: what was found is noted, and told to CloudWatch.

        Raises:
            InvalidEvidence: what the job left cannot be read, or is about another window.
            StoreUnavailable: ask again.
        """
        found = monitoring_findings.parse(self.files.read(f"{self._files(task).found}{DOCUMENT}", LARGEST_DOCUMENT))
        if any(getattr(found, name) != task.run[name] for name in ("since", "until", "champion")):
            raise InvalidEvidence(f"{DOCUMENT} is about another window, or another champion, than was looked at")
        metrics = tuple(monitoring_findings.metrics(found))
        said = self._keep(task, Seen(found.rows, found.violations, metrics, found.labels, found.sentence))
        return Answer(next="violated" if found.violations else "quiet", sentence=said, run=task.run)

    def fail(self, task: Task) -> Answer:
        """`failed`, and why; an alarm hears of the execution."""
        return Answer(next="failed", sentence=machine_task.explained(task.error))

    # --- What was found -----------------------------------------------------------------------------------------------

    def _keep(self, task: Task, seen: Seen) -> str:
        """Publish and note; returns what is said of it."""
        now, since, until = self.clock(), _seconds(task.run["since"]), _seconds(task.run["until"])
        is_current = self._publish(seen.metrics, until)
        said = seen.sentence if is_current else f"{seen.sentence} The window is past: no alarm hears of it."
        watch = Watch(
            run_id=task.execution_name,
            execution=task.execution,
            since=since,
            until=until,
            champion=str(task.run["champion"]),
            rows=seen.rows,
            uri=self._files(task).found,
            ended_at=now,
            sentence=said,
            violations=dict(Counter(each.concern.value for each in seen.violations)),
            findings=seen.violations[:MOST_FINDINGS],
            metrics={f"{each.name} {each.variant}".strip(): each.value for each in seen.metrics},
            labels=seen.labels,
        )
        self.watches.put(watch)
        return said

    def _publish(self, metrics: tuple[Metric, ...], until: float) -> bool:
        """Tell alarms of a window, if it is about now; returns whether it is."""
        now = self.clock()
        if now - until > CURRENT:
            return False
        self.metrics.publish(metrics, now)
        return True

    # --- What the states read -----------------------------------------------------------------------------------------

    def _run(self, task: Task, plan: Plan, window: Window, routing: Routing, baseline: Baseline) -> dict[str, Any]:
        """Every name, address and argument."""
        files, champion, challenger = self._files(task), _champion(routing), _challenger(routing)
        since = min(window.since, window.until - plan.archive_days * DAY)
        select = dataset_query.window(self.code.source.query("monitored_window"), since, window.since, window.until)
        champion_uri = self._artefact_uri(champion)
        return {
            "since": rfc3339(window.since),
            "until": rfc3339(window.until),
            "champion": champion,
            "query": dataset_query.unload(select, files.dataset),
            "source_uri": self.code.archive(),
            "rows_uri": files.dataset,
            "champion_uri": champion_uri,
            # A job's inputs are fixed: without a challenger the champion stands in for it, and is not looked at twice.
            "challenger_uri": self._artefact_uri(challenger) if challenger else champion_uri,
            "baseline_uri": baseline.uri,
            "findings_uri": files.found,
            "monitor_name": files.job("monitor"),
            "monitor_arguments": list(_arguments(plan, window, champion, challenger)),
            "instance_type": plan.instance_type,
            "run_seconds": plan.run_seconds,
        }

    def _artefact_uri(self, model_package: str) -> str:
        return self.registry.describe(model_package).artefact_uri

    def _files(self, task: Task) -> Files:
        return Files(self.bucket, self.job_prefix, task.execution, task.execution_name, "windows")


def _window(request: Request, plan: Plan, now: float) -> Window:
    until = request.until.timestamp() if request.until else now
    since = request.since.timestamp() if request.since else until - plan.window_hours * HOUR
    if not since < until <= now:
        raise MonitoringRefused(f"The window from {rfc3339(since)} to {rfc3339(until)} is empty, or not over yet.")
    if until - since > LONGEST_WINDOW:
        raise MonitoringRefused(f"The window is longer than {LONGEST_WINDOW // DAY} days: look at a part of it.")
    return Window(since, until)


def _champion(routing: Routing) -> str:
    return routing.slots[routing.champion].model_package


def _challenger(routing: Routing) -> str:
    return routing.slots[routing.challenger].model_package if routing.challenger else ""


def _arguments(plan: Plan, window: Window, champion: str, challenger: str) -> Iterator[str]:
    numbers = {name: getattr(plan, name) for name in NUMBERS}
    texts = {"since": rfc3339(window.since), "until": rfc3339(window.until), "champion": champion}
    texts |= {"challenger": challenger or NONE, "fairness": ",".join(plan.fairness) or NONE}
    for name, value in {**texts, **numbers}.items():
        yield from (f"--{name.replace('_', '-')}", str(value))


def _silence(sentence: str) -> Finding:
    return Finding(
        check="volume_check",
        concern=Concern.DATA,
        name="transactions",
        variant="all",
        outcome=Outcome.VIOLATED,
        observed=0,
        limit=1,
        count=0,
        sentence=sentence,
    )


def _counts(violations: tuple[Finding, ...]) -> Iterator[Metric]:
    """Violations of each concern, 0 included, so that alarms end."""
    for concern, name in VIOLATIONS.items():
        yield Metric(name, sum(each.concern is concern for each in violations), "Count")


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
