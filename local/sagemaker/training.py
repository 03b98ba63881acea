"""Training jobs: what is checked when they are created, and their statuses."""

from local.sagemaker.api import ApiError, Document, Operation
from local.sagemaker.jobs import JobRecords, Surroundings
from local.sagemaker.registry import Announce
from local.sagemaker.training_run import LONGEST_SECONDS, TrainingRun


class TrainingJobs:
    """CreateTrainingJob and its relatives."""

    def __init__(self, prefix: str, surroundings: Surroundings, announce: Announce) -> None:
        self._records = JobRecords("Training", prefix, announce)
        self._surroundings = surroundings

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateTrainingJob": self.create,
            "DescribeTrainingJob": self._records.get,
            "StopTrainingJob": self.stop,
            "ListTrainingJobs": self._records.page,
        }

    def create(self, request: Document) -> Document:
        _check_waiting(request)
        _check_checkpoints(request)
        job = self._records.add(request)
        self._enter(job, "Starting")
        self._records.start(job, TrainingRun(job, self._surroundings, self._enter))
        return job

    def stop(self, request: Document) -> Document:
        with self._records.lock:
            job = self._records.in_progress(request)
            self._move(job, "Stopping", "Stopping")
        job["_run"].stop()
        self._records.announce(job)
        return {}

    def interrupt(self, name: str) -> None:
        """Take the spot capacity from a job, as AWS does when it needs it: the job starts anew from its checkpoints.

        Raises: ApiError if the job is not on spot capacity, or is not training.
        """
        job = self._records.get({"TrainingJobName": name})
        if not job.get("EnableManagedSpotTraining"):
            raise ApiError("Only managed spot training is interrupted.")
        if not job["_run"].interrupt():
            raise ApiError(f"The training job is {job['SecondaryStatus']}: there is nothing to interrupt.")

    def _enter(self, job: Document, secondary: str, status: str = "", message: str = "") -> None:
        """Move a job on, in the status it has unless another is given, and tell the account's event bus."""
        with self._records.lock:
            self._move(job, secondary, status, message)
        self._records.announce(job)

    def _move(self, job: Document, secondary: str, status: str, message: str = "") -> None:
        entered = self._records.enter(job, status)
        if status == "Completed":
            secondary = entered
        transitions = job.setdefault("SecondaryStatusTransitions", [])
        if transitions:
            transitions[-1]["EndTime"] = job["LastModifiedTime"]
        told = {"Status": secondary, "StartTime": job["LastModifiedTime"], "StatusMessage": message or secondary}
        transitions.append(told)
        job["SecondaryStatus"] = secondary


def _check_waiting(request: Document) -> None:
    """Waiting is for spot capacity, and bounded.

    Raises: ApiError, in AWS's words, if a job has no such bound and waits, or has one and does not.
    """
    condition = request.get("StoppingCondition", {})
    wait = condition.get("MaxWaitTimeInSeconds")
    if not request.get("EnableManagedSpotTraining"):
        if wait is not None:
            raise ApiError(
                "Invalid MaxWaitTimeInSeconds. It is only supported when EnableManagedSpotTraining is set to true"
            )
    elif wait is None or wait < condition.get("MaxRuntimeInSeconds", LONGEST_SECONDS):
        raise ApiError(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )


def _check_checkpoints(request: Document) -> None:
    # Elsewhere is the user's own disk.
    path = request.get("CheckpointConfig", {}).get("LocalPath", "/opt/ml/checkpoints")
    if not path.startswith("/opt/ml/"):
        raise ApiError("The laptop keeps checkpoints below /opt/ml only.")
