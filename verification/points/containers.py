"""What is in the images, what a job has of disk, and whether a script can be installed without a network."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fraud
from fraud import job_source
from fraud.aws.schedule_items import VOLUME_GB
from fraud.services.retraining_run import SUBMIT_DIRECTORY
from local.children import ROOT
from verification import template
from verification.probe import Answer, Place, Probe, Stage, Term, confirmed, differs, inconclusive, judged
from verification.sandbox import Sandbox
from verification.stages import BUCKET, INSTANCE, JOB_ROLE, PASS, put
from verification.stored_kinds import PROCESSING, TRAINING, log_streams

JOB_MINUTES = 15
LAST_LINES = 8
IMAGES = {"current": "3.2-0", "old": "1.7-1"}
EXPECTED = {"current": {"xgboost": "3.2.0", "numpy": "2.1.0", "pyarrow": "22.0.0", "scikit-learn": "1.8.0"}}
"""Versions that the container's sources pin."""
LISTED = {"old": {"xgboost": "1.7.4"}}
GIB = 1024**3
_LOOK = """
import json, shutil, subprocess, sys
listed = subprocess.run([sys.executable, "-m", "pip", "list", "--format=json"], capture_output=True, text=True).stdout
report = {"python": sys.version.split()[0], "libraries": {each["name"].lower(): each["version"] for each in
          json.loads(listed)}, "bytes": shutil.disk_usage("/opt/ml/processing").total}
open("/opt/ml/processing/output/report.json", "w").write(json.dumps(report))
"""

Report = Mapping[str, Any]


# --- Images -----------------------------------------------------------------------------------------------------------


def _inspect(sandbox: Sandbox, which: str) -> Report:
    """What a job says of the image that it runs in."""
    name, sagemaker = sandbox.name(f"look-{which}"), sandbox.client("sagemaker")
    bucket, role = sandbox.uses(BUCKET), sandbox.uses(JOB_ROLE)
    output = {
        "S3Uri": f"s3://{bucket}/looks/{which}",
        "LocalPath": "/opt/ml/processing/output",
        "S3UploadMode": "EndOfJob",
    }
    cluster = {"InstanceCount": 1, "InstanceType": INSTANCE, "VolumeSizeInGB": VOLUME_GB}
    sandbox.ledger_logs(f"{PROCESSING}|{name}")
    sandbox.make_with_new(
        "processing_job",
        name,
        lambda: sagemaker.create_processing_job(
            ProcessingJobName=name,
            RoleArn=role,
            AppSpecification={
                "ImageUri": template.xgboost(sandbox.aws.region, IMAGES[which]),
                "ContainerEntrypoint": ["python3", "-c", _LOOK],
            },
            ProcessingOutputConfig={"Outputs": [{"OutputName": "looks", "S3Output": output}]},
            ProcessingResources={"ClusterConfig": cluster},
            StoppingCondition={"MaxRuntimeInSeconds": 300},
            NetworkConfig={"EnableNetworkIsolation": True},
            Tags=sandbox.tags,
        ),
    )
    status, reason = _ended(sandbox, "processing", name)
    if status != "Completed":
        return {"failed": f"{status}: {reason}"}
    body = sandbox.client("s3").get_object(Bucket=bucket, Key=f"looks/{which}/report.json")["Body"].read()
    return dict(json.loads(body))


def _ended(sandbox: Sandbox, kind: str, name: str) -> tuple[str, str]:
    """Status of a job that is over, and why."""
    describe, member = f"describe_{kind}_job", f"{kind.title()}Job"

    def look() -> tuple[str, str] | None:
        about = getattr(sandbox.client("sagemaker"), describe)(**{f"{member}Name": name})
        status = about[f"{member}Status"]
        reason = about.get("FailureReason", about.get("ExitMessage", ""))
        return None if status in ("InProgress", "Stopping") else (status, reason)

    return sandbox.until(f"job {name} ends", look, JOB_MINUTES)


_LOOK_CALLS = ("sagemaker.create_processing_job", "sagemaker.describe_processing_job", "s3.get_object", *PASS)
_LOOK_TERMS = (Term("job_ml.m5.large", JOB_MINUTES / 60),)
CURRENT = Stage(
    "a look into 3.2-0",
    lambda sandbox: _inspect(sandbox, "current"),
    _LOOK_CALLS,
    JOB_MINUTES,
    _LOOK_TERMS,
    (JOB_ROLE,),
)
OLD = Stage(
    "a look into 1.7-1", lambda sandbox: _inspect(sandbox, "old"), _LOOK_CALLS, JOB_MINUTES, _LOOK_TERMS, (JOB_ROLE,)
)


def _ask_libraries(sandbox: Sandbox) -> Answer:
    looks = {"current": sandbox.uses(CURRENT), "old": sandbox.uses(OLD)}
    broken = [f"{IMAGES[which]}: {look['failed']}" for which, look in looks.items() if "failed" in look]
    if broken:
        return inconclusive("; ".join(broken))
    wanted = EXPECTED | LISTED
    found = {which: {name: look["libraries"].get(name) for name in wanted[which]} for which, look in looks.items()}
    also = ("numpy", "pandas", "pyarrow", "scikit-learn", "scipy")
    old = {name: looks["old"]["libraries"].get(name) for name in also}
    pythons = {IMAGES[which]: look["python"] for which, look in looks.items()}
    return judged(found == wanted, f"Python {pythons}; {found}; 1.7-1 also has {old}")


def _ask_disk(sandbox: Sandbox) -> Answer:
    look = sandbox.uses(CURRENT)
    if "failed" in look:
        return inconclusive(look["failed"])
    size = look["bytes"] / GIB
    return judged(size >= 0.9 * VOLUME_GB, f"{VOLUME_GB} GB asked for; /opt/ml/processing has {size:.1f} GiB in all")


# --- Training without a network ---------------------------------------------------------------------------------------


def _ask_isolation(sandbox: Sandbox) -> Answer:
    """`--help` ends the script well as soon as it, and all that it imports, is there."""
    name, sagemaker, bucket = sandbox.name("train"), sandbox.client("sagemaker"), sandbox.uses(BUCKET)
    source = job_source.build(ROOT / "model", Path(fraud.__file__).parent)
    address = put(sandbox, f"source/{job_source.NAME}", source)
    prefix = {"S3DataType": "S3Prefix", "S3Uri": address, "S3DataDistributionType": "FullyReplicated"}
    role = sandbox.uses(JOB_ROLE)
    sandbox.ledger_logs(f"{TRAINING}|{name}")
    sandbox.make_with_new(
        "training_job",
        name,
        lambda: sagemaker.create_training_job(
            TrainingJobName=name,
            RoleArn=role,
            AlgorithmSpecification={
                "TrainingImage": template.xgboost(sandbox.aws.region),
                "TrainingInputMode": "File",
            },
            HyperParameters={
                "help": "",
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": SUBMIT_DIRECTORY,
            },
            InputDataConfig=[{"ChannelName": "code", "DataSource": {"S3DataSource": prefix}}],
            OutputDataConfig={"S3OutputPath": f"s3://{bucket}/trained"},
            ResourceConfig={"InstanceCount": 1, "InstanceType": INSTANCE, "VolumeSizeInGB": VOLUME_GB},
            StoppingCondition={"MaxRuntimeInSeconds": 300},
            EnableNetworkIsolation=True,
            Environment={"PIP_NO_BUILD_ISOLATION": "0"},
            Tags=sandbox.tags,
        ),
    )
    status, reason = _ended(sandbox, "training", name)
    if status == "Completed":
        return confirmed("the source archive was installed without a network, and train.py was imported whole")
    seen = f"{status}: {reason}; last lines: {_last_lines(sandbox, f'{TRAINING}|{name}')}"
    return differs(seen) if status == "Failed" and reason.startswith("AlgorithmError") else inconclusive(seen)


def _last_lines(sandbox: Sandbox, job: str) -> str:
    streams = log_streams(sandbox.aws, job)
    if not streams:
        return "no log"
    events = sandbox.client("logs").get_log_events(
        logGroupName=job.partition("|")[0], logStreamName=streams[0], limit=LAST_LINES
    )["events"]
    return " / ".join(each["message"] for each in events)


PROBES = (
    Probe(
        "h",
        "Which libraries are in the images 3.2-0 and 1.7-1?",
        "3.2-0 has those that its sources pin, which is what scripts may import; nothing of the project runs in 1.7-1, "
        "whose XGBoost is taken to be 1.7.4.",
        (Place("model/train.py", "tag 3.2-0"), Place("pyproject.toml", "What runs in SageMaker imports only")),
        _ask_libraries,
        (),
        minutes=1,
        stages=(CURRENT, OLD),
    ),
    Probe(
        "disk",
        "Does a job have the disk that it asks for where its data are laid?",
        "/opt/ml/processing lies on the volume that was asked for. How full a large window makes it is not asked.",
        (
            Place("state_machines/jobs.py", "DISK_GIB = 30"),
            Place("functions/fraud/aws/schedule_items.py", "VOLUME_GB = 30"),
        ),
        _ask_disk,
        (),
        minutes=1,
        stages=(CURRENT,),
    ),
    Probe(
        "e",
        "Does PIP_NO_BUILD_ISOLATION=0 let the image 3.2-0 install a script without a network?",
        "The variable is inverted: 0 turns isolated builds off, and pip needs no index then.",
        (
            Place("functions/fraud/aws/registry.py", '"PIP_NO_BUILD_ISOLATION": "0"'),
            Place("state_machines/jobs.py", '"PIP_NO_BUILD_ISOLATION": "0"'),
        ),
        _ask_isolation,
        (
            "s3.put_object",
            "sagemaker.create_training_job",
            "sagemaker.describe_training_job",
            "logs.describe_log_streams",
            "logs.get_log_events",
            *PASS,
        ),
        minutes=JOB_MINUTES + 1,
        terms=(Term("job_ml.m5.large", JOB_MINUTES / 60),),
        stages=(BUCKET, JOB_ROLE),
    ),
)
