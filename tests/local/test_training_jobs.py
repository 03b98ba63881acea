"""Training jobs: where the code comes from, isolation, limits, and spot capacity that is taken away."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.sagemaker.api import ApiError, Document
from local.sagemaker.training import TrainingJobs
from tests.local.archives import tar_gz
from tests.local.conftest import eventually
from tests.local.workshop import BUCKET, IMAGE, PREFIX, ROLE, Refused, Workshop, workshop

SUBMIT = "/opt/ml/input/data/code/source.tar.gz"
FIND_CODE = """
import json, os, pathlib
import numpy
def found(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
told = {
    "base": os.environ["SAGEMAKER_BASE_DIR"],
    "module": os.environ["SM_MODULE_DIR"],
    "ours": [name for name in ("fraud", "model", "local", "cli") if found(name)],
    "here": os.getcwd(),
    "beside": found("beside"),
}
pathlib.Path(os.environ["SM_MODEL_DIR"], "told.json").write_text(json.dumps(told))
"""
CONNECT = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0)) if "--served" in sys.argv else None
port = server.getsockname()[1] if server else 9
socket.socket().connect(("127.0.0.1", port))
"""
COUNT = """
import os, pathlib, signal, sys, time
base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
checkpoints, model = base / "checkpoints", pathlib.Path(os.environ["SM_MODEL_DIR"])
assert not list(model.iterdir()), "another machine's disk is empty"
step = max((int(path.name) for path in checkpoints.iterdir()), default=0)
print(f"begins={step}", flush=True)
def leave(*_):
    (checkpoints / str(step + 1)).write_text("interrupted")
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
(model / "model.txt").write_text(str(step))
if step < int(sys.argv[2]):
    print("ready", flush=True)
    time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
LIVE = """
import os, pathlib, time
directory = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"], "checkpoints/deep")
directory.mkdir()
(directory / "1").write_text("first")
time.sleep(60)
"""
SPOT = {
    "EnableManagedSpotTraining": True,
    "StoppingCondition": {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 1200},
    "CheckpointConfig": {"S3Uri": f"s3://{BUCKET}/checkpoints/job/"},
}
ISOLATED = {"EnableNetworkIsolation": True, "Environment": {"PIP_NO_BUILD_ISOLATION": "0"}}


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        yield made


@pytest.fixture
def jobs(shop: Workshop) -> TrainingJobs:
    return employed(shop, 30.0)


def employed(shop: Workshop, grace_seconds: float) -> TrainingJobs:
    jobs = TrainingJobs(PREFIX, shop.surroundings(grace_seconds), shop.announce)
    shop.operations = jobs.operations()
    return jobs


def train(shop: Workshop, script: str, hyperparameters: dict[str, str] | None = None, **changes: Any) -> Document:
    """Start a job of this script, which the channel `code` brings."""
    code = shop.put("source/source.tar.gz", tar_gz(train_py=script, beside_py=""))
    channel = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": code}}
    own = {"sagemaker_program": "train.py", "sagemaker_submit_directory": SUBMIT}
    request = {
        "TrainingJobName": "job",
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "HyperParameters": {**own, **(hyperparameters or {})},
        "InputDataConfig": [{"ChannelName": "code", "DataSource": channel}],
        "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
        "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
        **changes,
    }
    return shop.call("CreateTrainingJob", **request)


def ended(shop: Workshop) -> Document:
    return shop.ended("Training", "job")


def log(shop: Workshop) -> str:
    file = shop.directory / "job/container.log"
    return file.read_text() if file.exists() else ""


def ready(shop: Workshop, times: int = 1) -> None:
    """Wait until that many containers have said that they are waiting."""
    eventually(lambda: log(shop).count("ready") == times)


def secondary(job: Document) -> list[str]:
    return [transition["Status"] for transition in job["SecondaryStatusTransitions"]]


def told(shop: Workshop) -> Any:
    return json.loads((shop.directory / "job/ml/model/told.json").read_text())


def test_the_code_channel_brings_the_script_and_nothing_of_this_repository_is_beside_it(
    shop: Workshop, jobs: TrainingJobs
) -> None:
    train(shop, FIND_CODE, **ISOLATED)
    assert ended(shop)["TrainingJobStatus"] == "Completed"
    base = str(shop.directory / "job/ml")
    assert told(shop) == {
        "base": base,
        "module": f"{base}/input/data/code/source.tar.gz",
        "ours": [],
        "here": f"{base}/code",
        "beside": True,
    }


def test_a_directory_may_hold_the_code(shop: Workshop, jobs: TrainingJobs) -> None:
    shop.put("unpacked/train.py", FIND_CODE.encode())
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/unpacked/"}}
    channels = [{"ChannelName": "code", "DataSource": source}]
    train(shop, "", {"sagemaker_submit_directory": "/opt/ml/input/data/code"}, InputDataConfig=channels)
    assert ended(shop)["TrainingJobStatus"] == "Completed"
    assert told(shop)["beside"] is False


def test_an_isolated_job_has_no_network(shop: Workshop, jobs: TrainingJobs) -> None:
    train(shop, CONNECT, **ISOLATED)
    assert ended(shop)["TrainingJobStatus"] == "Failed"
    assert "Network is unreachable: the job is isolated" in log(shop)


def test_a_job_that_is_not_isolated_has_a_network(shop: Workshop, jobs: TrainingJobs) -> None:
    train(shop, CONNECT, {"served": "1"})
    assert ended(shop)["TrainingJobStatus"] == "Completed"


def test_an_isolated_job_cannot_fetch_its_code_from_s3(shop: Workshop, jobs: TrainingJobs) -> None:
    train(shop, FIND_CODE, {"sagemaker_submit_directory": f"s3://{BUCKET}/source/source.tar.gz"}, **ISOLATED)
    assert ended(shop)["FailureReason"].startswith("AlgorithmError: framework error: ")
    assert "Unable to locate credentials" in log(shop)


def test_an_isolated_job_that_lets_pip_download_cannot_install_its_script(shop: Workshop, jobs: TrainingJobs) -> None:
    train(shop, FIND_CODE, EnableNetworkIsolation=True)
    reason = ended(shop)["FailureReason"]
    assert reason.startswith("AlgorithmError: InstallModuleError:") and "-m pip install ." in reason
    assert "PIP_NO_BUILD_ISOLATION=0" in log(shop)


def test_a_script_without_a_name_is_refused_with_the_reason(shop: Workshop, jobs: TrainingJobs) -> None:
    train(shop, FIND_CODE, HyperParameters={})
    assert "set sagemaker_program" in ended(shop)["FailureReason"]


def test_a_channel_with_no_object_fails_the_job_with_the_reason(shop: Workshop, jobs: TrainingJobs) -> None:
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{BUCKET}/none/"}}
    train(shop, FIND_CODE, InputDataConfig=[{"ChannelName": "train", "DataSource": source}])
    assert ended(shop)["FailureReason"].startswith("ClientError: No S3 objects found under S3 URL")


@pytest.mark.parametrize("times", [1, 2])
def test_a_job_whose_spot_capacity_is_taken_goes_on_from_its_checkpoints(
    shop: Workshop, jobs: TrainingJobs, times: int
) -> None:
    train(shop, COUNT, {"steps": str(times)}, **SPOT)
    for number in range(1, times + 1):
        ready(shop, number)
        jobs.interrupt("job")
    job = ended(shop)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Completed", "Completed")
    assert [line for line in log(shop).splitlines() if line.startswith("begins")] == [
        f"begins={step}" for step in range(times + 1)
    ]
    lost = ["Starting", "Downloading", "Training", "Interrupted"]
    assert secondary(job) == [*lost * times, "Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert shop.keys("checkpoints/job/") == [str(step) for step in range(1, times + 1)]
    assert job["BillableTimeInSeconds"] <= job["TrainingTimeInSeconds"]


def test_a_container_that_does_not_heed_the_interruption_is_killed(shop: Workshop) -> None:
    jobs = employed(shop, 0.3)
    train(shop, STUBBORN, **SPOT)
    ready(shop)
    jobs.interrupt("job")
    ready(shop, 2)
    shop.call("StopTrainingJob", TrainingJobName="job")
    job = ended(shop)
    assert secondary(job)[3:7] == ["Interrupted", "Starting", "Downloading", "Training"]
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "Stopped")


def test_a_job_that_is_stopped_while_it_is_interrupted_does_not_start_again(shop: Workshop) -> None:
    jobs = employed(shop, 0.5)
    train(shop, STUBBORN, **SPOT)
    ready(shop)
    jobs.interrupt("job")
    shop.call("StopTrainingJob", TrainingJobName="job")
    job = ended(shop)
    assert job["TrainingJobStatus"] == "Stopped" and "Interrupted" not in secondary(job)
    assert log(shop).count("ready") == 1


def test_checkpoints_of_an_earlier_job_are_restored(shop: Workshop, jobs: TrainingJobs) -> None:
    shop.put("checkpoints/job/7", b"earlier")
    train(shop, COUNT, {"steps": "7"}, **SPOT)
    assert ended(shop)["TrainingJobStatus"] == "Completed"
    assert "begins=7" in log(shop)


def test_checkpoints_are_copied_while_the_script_runs(shop: Workshop, jobs: TrainingJobs) -> None:
    train(shop, LIVE, **SPOT)
    eventually(lambda: shop.keys("checkpoints/job/") == ["deep/1"])
    assert shop.get("checkpoints/job/deep/1") == b"first"
    shop.call("StopTrainingJob", TrainingJobName="job")
    ended(shop)


def test_only_spot_capacity_that_is_in_use_is_taken(shop: Workshop, jobs: TrainingJobs) -> None:
    train(shop, FIND_CODE)
    with pytest.raises(ApiError, match="Only managed spot training"):
        jobs.interrupt("job")
    ended(shop)
    train(shop, FIND_CODE, TrainingJobName="spot", **SPOT)
    shop.ended("Training", "spot")
    with pytest.raises(ApiError, match="nothing to interrupt"):
        jobs.interrupt("spot")


@pytest.mark.parametrize("changes", [{}, {"EnableManagedSpotTraining": False}])
def test_a_job_that_does_not_wait_for_capacity_has_no_bound_for_it(
    shop: Workshop, jobs: TrainingJobs, changes: Document
) -> None:
    condition = {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 600}
    with pytest.raises(Refused, match="only supported when EnableManagedSpotTraining"):
        train(shop, FIND_CODE, StoppingCondition=condition, **changes)


@pytest.mark.parametrize("wait", [{}, {"MaxWaitTimeInSeconds": 599}])
def test_a_job_that_waits_for_capacity_has_a_bound_for_it(
    shop: Workshop, jobs: TrainingJobs, wait: dict[str, int]
) -> None:
    with pytest.raises(Refused, match="greater than or equal to MaxRuntimeInSeconds"):
        train(shop, FIND_CODE, **{**SPOT, "StoppingCondition": {"MaxRuntimeInSeconds": 600, **wait}})


def test_checkpoints_outside_the_container_are_refused(shop: Workshop, jobs: TrainingJobs) -> None:
    config = {"S3Uri": f"s3://{BUCKET}/checkpoints", "LocalPath": "/home/me"}
    with pytest.raises(Refused, match="below /opt/ml"):
        train(shop, FIND_CODE, CheckpointConfig=config)


def test_a_job_that_exceeds_its_time_uploads_what_it_has(shop: Workshop, jobs: TrainingJobs) -> None:
    train(shop, COUNT, {"steps": "1"}, StoppingCondition={"MaxRuntimeInSeconds": 1})
    job = ended(shop)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert shop.keys("models/") == ["job/output/model.tar.gz"]


def test_a_job_that_waits_for_capacity_too_long_ends(shop: Workshop, jobs: TrainingJobs) -> None:
    train(
        shop,
        COUNT,
        {"steps": "9"},
        **{**SPOT, "StoppingCondition": {"MaxRuntimeInSeconds": 2, "MaxWaitTimeInSeconds": 2}},
    )
    ready(shop)
    jobs.interrupt("job")
    job = ended(shop)
    assert (job["TrainingJobStatus"], job["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")


def test_a_script_that_heeds_no_signal_is_killed_and_the_job_ends_stopped(shop: Workshop) -> None:
    employed(shop, 0.3)
    train(shop, STUBBORN)
    ready(shop)
    shop.call("StopTrainingJob", TrainingJobName="job")
    job = ended(shop)
    assert (job["TrainingJobStatus"], "FailureReason" in job) == ("Stopped", False)
