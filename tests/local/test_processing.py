"""Processing jobs: what reaches the command, what becomes of what it writes, and how jobs end."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.sagemaker.api import Document
from local.sagemaker.processing import ProcessingJobs
from tests.local.archives import tar_gz
from tests.local.checked import Checked
from tests.local.conftest import Running, eventually
from tests.local.workshop import BUCKET, IMAGE, PREFIX, ROLE, Refused, Workshop, workshop

UNPACK = "cd /opt/ml/processing && mkdir -p code && tar -xzf input/source/source.tar.gz -C code && cd code"
ENTRYPOINT = ["bash", "-c", UNPACK + ' && exec python3 -m job .. "$@"', "job"]
COPY = """
import os, pathlib, sys
base = pathlib.Path(sys.argv[1]).resolve()
(base / "output" / "part").mkdir()
(base / "output" / "part" / "copy.txt").write_text((base / "input/data/day/rows.csv").read_text())
(base / "output" / "told.txt").write_text(" ".join(sys.argv[2:]) + " " + os.environ["WHERE"])
(base / "output" / "link.txt").symlink_to("told.txt")
(base.parent / "output/message").write_text("copied")
"""
DIE = """
import pathlib
pathlib.Path("../output/half.txt").write_text("half")
pathlib.Path("../../output/message").write_text("no such column")
raise SystemExit(3)
"""
WAIT = """
import pathlib, time
pathlib.Path("../waiting").touch()
time.sleep(60)
"""
STUBBORN = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)" + WAIT
CONNECT = """
import socket, sys
server = socket.create_server(("127.0.0.1", 0)) if "--served" in sys.argv else None
port = server.getsockname()[1] if server else 9
socket.socket().connect(("127.0.0.1", port))
"""
UNIX = """
import socket
first, second = socket.socketpair()
first.sendall(b"x")
server = socket.socket(socket.AF_UNIX)
server.bind("../own")
server.listen()
socket.socket(socket.AF_UNIX).connect("../own")
try:
    socket.socket().connect(("127.0.0.1", 9))
except OSError as error:
    open("../output/error.txt", "w").write(str(error))
"""
RESOLVE = "import socket; socket.getaddrinfo('localhost', 80)"
ALONE = """
import os, pathlib, shutil, sys
import numpy
def found(name):
    try:
        __import__(name)
    except ImportError:
        return False
    return True
told = [name for name in ("fraud", "model", "local", "cli") if found(name)]
told += [name for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID") if name in os.environ]
pathlib.Path("../output/found.txt").write_text(" ".join(told))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Workshop]:
    with workshop(tmp_path) as made:
        yield with_grace(made, 30.0)


def with_grace(shop: Workshop, seconds: float) -> Workshop:
    shop.operations = ProcessingJobs(PREFIX, shop.surroundings(seconds), shop.announce).operations()
    return shop


def request(name: str, source: str, data: str, output: str, **changes: Any) -> Document:
    def given(name: str, uri: str) -> Document:
        path = f"/opt/ml/processing/input/{name}"
        return {"InputName": name, "S3Input": {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix"}}

    wanted = {"S3Uri": output, "LocalPath": "/opt/ml/processing/output", "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ENTRYPOINT},
        "ProcessingInputs": [given("source", source), given("data", data)],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "output", "S3Output": wanted}]},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
        },
        **changes,
    }


def process(shop: Workshop, script: str, **changes: Any) -> Document:
    """Start a job of this script over a row of data."""
    source = shop.put("source/source.tar.gz", tar_gz(job_py=script))
    shop.put("data/day/rows.csv", b"1,2,3")
    return shop.call(
        "CreateProcessingJob",
        **request("job", source, f"s3://{BUCKET}/data/", f"s3://{BUCKET}/result/", **changes),
    )


def ended(shop: Workshop) -> Document:
    return shop.ended("Processing", "job")


def status(shop: Workshop) -> str:
    return str(shop.call("DescribeProcessingJob", ProcessingJobName="job")["ProcessingJobStatus"])


def waiting(shop: Workshop) -> Any:
    return eventually((shop.directory / "job/ml/processing/waiting").exists)


ISOLATED = {"NetworkConfig": {"EnableNetworkIsolation": True}}


def test_a_job_reads_its_inputs_and_uploads_its_outputs(shop: Workshop) -> None:
    application = {
        "ImageUri": IMAGE,
        "ContainerEntrypoint": ENTRYPOINT,
        "ContainerArguments": ["--rows", "two words", "/opt/ml/processing/x", "s3://bucket/opt/ml/y"],
    }
    process(shop, COPY, AppSpecification=application, Environment={"WHERE": "at=/opt/ml/processing"})
    job = ended(shop)
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Completed", "copied")
    assert job["ProcessingEndTime"] >= job["ProcessingStartTime"] >= job["CreationTime"]
    assert shop.keys("result/") == ["part/copy.txt", "told.txt"]
    assert shop.get("result/part/copy.txt") == b"1,2,3"
    base = f"{shop.directory}/job/ml/processing"
    assert shop.get("result/told.txt").decode() == f"--rows two words {base}/x s3://bucket/opt/ml/y at={base}"


def test_a_job_finds_its_request_in_its_configuration(shop: Workshop) -> None:
    process(shop, COPY, Environment={"WHERE": "here"})
    ended(shop)
    directory = shop.directory / "job/ml/config"
    config = json.loads((directory / "processingjobconfig.json").read_text())
    assert config["ProcessingJobArn"] == f"{PREFIX}:processing-job/job"
    assert config["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] == f"s3://{BUCKET}/result/"
    assert Path(config["ProcessingInputs"][1]["S3Input"]["LocalPath"]).is_dir()
    resources = json.loads((directory / "resourceconfig.json").read_text())
    assert resources == {"current_host": "algo-1", "hosts": ["algo-1"]}


def test_every_status_is_announced(shop: Workshop) -> None:
    process(shop, COPY, Environment={"WHERE": "here"})
    ended(shop)
    eventually(lambda: len(shop.events) == 2)
    told = [(kind, arn, detail["ProcessingJobStatus"]) for kind, arn, detail in shop.events]
    of_the_job = ("SageMaker Processing Job State Change", f"{PREFIX}:processing-job/job")
    assert told == [(*of_the_job, "InProgress"), (*of_the_job, "Completed")]


def test_an_input_with_no_object_fails_the_job_with_the_reason(shop: Workshop) -> None:
    source = shop.put("source/source.tar.gz", tar_gz(job_py=COPY))
    shop.call("CreateProcessingJob", **request("job", source, f"s3://{BUCKET}/none/", f"s3://{BUCKET}/result/"))
    job = ended(shop)
    assert job["ProcessingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith(f'ClientError: No S3 objects found under S3 URL "s3://{BUCKET}/none/"')
    assert "ProcessingStartTime" not in job


def test_a_command_that_fails_fails_the_job_and_nothing_is_uploaded(shop: Workshop) -> None:
    process(shop, DIE)
    job = ended(shop)
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Failed", "no such column")
    assert job["FailureReason"].startswith("AlgorithmError: ")
    assert shop.keys("result/") == []


def test_an_entrypoint_that_does_not_exist_fails_the_job(shop: Workshop) -> None:
    process(shop, COPY, AppSpecification={"ImageUri": IMAGE, "ContainerEntrypoint": ["no-such-command"]})
    assert ended(shop)["FailureReason"].startswith("AlgorithmError: ")
    assert "no-such-command" in (shop.directory / "job/container.log").read_text()


def test_an_exit_message_that_is_no_text_fails_the_job(shop: Workshop) -> None:
    process(shop, "open('../../output/message', 'wb').write(bytes([255]))")
    assert ended(shop)["FailureReason"].startswith("ClientError: ")


def test_a_stopped_job_ends_stopped_and_nothing_is_uploaded(shop: Workshop) -> None:
    process(shop, WAIT)
    waiting(shop)
    shop.call("StopProcessingJob", ProcessingJobName="job")
    job = ended(shop)
    assert job["ProcessingJobStatus"] == "Stopped" and "FailureReason" not in job
    assert shop.keys("result/") == []
    with pytest.raises(Refused, match="Stopped"):
        shop.call("StopProcessingJob", ProcessingJobName="job")


def test_a_job_that_does_not_heed_the_signal_is_stopping_until_it_is_killed(shop: Workshop) -> None:
    with_grace(shop, 0.5)
    process(shop, STUBBORN)
    waiting(shop)
    shop.call("StopProcessingJob", ProcessingJobName="job")
    assert status(shop) == "Stopping"
    assert ended(shop)["ProcessingJobStatus"] == "Stopped"


def test_a_job_that_exceeds_its_time_is_stopped(shop: Workshop) -> None:
    process(shop, WAIT, StoppingCondition={"MaxRuntimeInSeconds": 1})
    job = ended(shop)
    assert job["ProcessingJobStatus"] == "Stopped"
    assert job["ProcessingEndTime"] - job["ProcessingStartTime"] >= 1


def test_an_isolated_job_has_no_network(shop: Workshop) -> None:
    process(shop, CONNECT, **ISOLATED)
    assert ended(shop)["ProcessingJobStatus"] == "Failed"
    assert "Network is unreachable: the job is isolated" in (shop.directory / "job/container.log").read_text()


def test_a_job_that_is_not_isolated_has_a_network(shop: Workshop) -> None:
    application = {"ImageUri": IMAGE, "ContainerEntrypoint": ENTRYPOINT, "ContainerArguments": ["--served"]}
    process(shop, CONNECT, AppSpecification=application)
    assert ended(shop)["ProcessingJobStatus"] == "Completed"


def test_an_isolated_job_resolves_no_names(shop: Workshop) -> None:
    process(shop, RESOLVE, **ISOLATED)
    assert ended(shop)["ProcessingJobStatus"] == "Failed"
    assert "name resolution" in (shop.directory / "job/container.log").read_text()


def test_an_isolated_job_has_its_own_sockets_and_can_tell_that_the_network_is_gone(shop: Workshop) -> None:
    process(shop, UNIX, **ISOLATED)
    assert ended(shop)["ProcessingJobStatus"] == "Completed"
    assert b"unreachable" in shop.get("result/error.txt")


@pytest.mark.parametrize("environment", [{}, {"PYTHONPATH": "/opt/ml/processing/code"}])
def test_an_isolated_job_finds_nothing_of_this_repository_and_no_credentials(
    shop: Workshop, environment: dict[str, str]
) -> None:
    process(shop, ALONE, Environment=environment, **ISOLATED)
    assert ended(shop)["ProcessingJobStatus"] == "Completed"
    assert shop.get("result/found.txt") == b""


def test_a_job_that_is_not_isolated_finds_its_services_and_nothing_of_this_repository(shop: Workshop) -> None:
    process(shop, ALONE)
    ended(shop)
    assert shop.get("result/found.txt") == b"AWS_ENDPOINT_URL AWS_ACCESS_KEY_ID"


def test_a_name_is_never_free_again(shop: Workshop) -> None:
    process(shop, DIE)
    ended(shop)
    with pytest.raises(Refused, match="ResourceInUse"):
        process(shop, DIE)


def test_an_unknown_job_is_not_found(shop: Workshop) -> None:
    with pytest.raises(Refused, match="Requested resource not found"):
        shop.call("DescribeProcessingJob", ProcessingJobName="job")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"LocalPath": "/tmp/input"}, "begin with /opt/ml/processing/"),
        ({"LocalPath": None}, "begin with /opt/ml/processing/"),
        ({"S3DataType": "ManifestFile"}, "S3Prefix only"),
        ({"S3InputMode": "Pipe"}, "S3Prefix only"),
    ],
)
def test_inputs_that_cannot_be_are_refused(shop: Workshop, change: Document, reason: str) -> None:
    asked = request("job", "s3://b/source", "s3://b/data", "s3://b/result")
    given = asked["ProcessingInputs"][0]["S3Input"]
    asked["ProcessingInputs"][0]["S3Input"] = {
        name: value for name, value in {**given, **change}.items() if value is not None
    }
    with pytest.raises(Refused, match=reason):
        shop.call("CreateProcessingJob", **asked)


def test_what_the_laptop_does_not_do_is_refused(shop: Workshop) -> None:
    asked = request("job", "s3://b/source", "s3://b/data", "s3://b/result")
    with pytest.raises(Refused, match="give ContainerEntrypoint"):
        shop.call("CreateProcessingJob", **{**asked, "AppSpecification": {"ImageUri": IMAGE}})
    with pytest.raises(Refused, match="S3 only"):
        shop.call("CreateProcessingJob", **{**asked, "ProcessingInputs": [{"InputName": "x", "DatasetDefinition": {}}]})
    asked["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] = "Continuous"
    with pytest.raises(Refused, match="at their end"):
        shop.call("CreateProcessingJob", **asked)


def test_the_running_stack_processes(stack: Running, outputs: dict[str, str]) -> None:
    sagemaker: Any = Checked(stack.client("sagemaker"), set())
    s3, bucket = stack.client("s3"), outputs["Archive"]
    s3.put_object(Bucket=bucket, Key="processing/source/source.tar.gz", Body=tar_gz(job_py=COPY))
    s3.put_object(Bucket=bucket, Key="processing/data/day/rows.csv", Body=b"1,2,3")
    root = f"s3://{bucket}/processing"
    asked = request("over-http", f"{root}/source/", f"{root}/data/", f"{root}/result/", Environment={"WHERE": "here"})
    arn = sagemaker.create_processing_job(**asked)["ProcessingJobArn"]
    eventually(
        lambda: sagemaker.describe_processing_job(ProcessingJobName="over-http")["ProcessingJobStatus"] == "Completed"
    )
    assert s3.get_object(Bucket=bucket, Key="processing/result/part/copy.txt")["Body"].read() == b"1,2,3"
    (listed,) = sagemaker.list_processing_jobs(NameContains="over-h", StatusEquals="Completed")[
        "ProcessingJobSummaries"
    ]
    assert (listed["ProcessingJobArn"], listed["ExitMessage"]) == (arn, "copied")
    s3.put_object(Bucket=bucket, Key="processing/source/source.tar.gz", Body=tar_gz(job_py=WAIT))
    sagemaker.create_processing_job(**{**asked, "ProcessingJobName": "to-be-stopped"})
    sagemaker.stop_processing_job(ProcessingJobName="to-be-stopped")
    eventually(
        lambda: sagemaker.describe_processing_job(ProcessingJobName="to-be-stopped")["ProcessingJobStatus"] == "Stopped"
    )
