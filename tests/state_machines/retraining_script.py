"""Functions and jobs that answer the retraining's machine by a script."""

from __future__ import annotations

from typing import ClassVar

from fraud.retraining import Files
from fraud.services.retraining_run import run
from tests.fakes.retraining import retraining
from tests.state_machines import job_script
from tests.state_machines.job_script import JobScript

NAME = "retraining"
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:retraining:first"


class RetrainingScript(JobScript):
    """A run whose candidate is approved."""

    NAME = NAME
    TASKS: ClassVar = {
        "PrepareRetrainingArn": {"lock", "choose_data"},
        "InspectJobArn": {"look"},
        "JudgeRetrainingArn": {"data", "candidate"},
        "FinishRetrainingArn": {"release", "fail"},
    }
    RUN: ClassVar = run(
        retraining(champion="arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/7"),
        Files("archive-bucket", "fraud", EXECUTION, "first"),
        source_uri="s3://archive-bucket/source/0123456789abcdef/source.tar.gz",
        query="UNLOAD (SELECT 1) TO 's3://archive-bucket/retraining/first/dataset/' WITH (format = 'PARQUET')",
        champion_uri="s3://archive-bucket/models/champion.tar.gz",
    )
    WELL: ClassVar = {
        "lock": ["assemble"],
        "query": [{}],
        "choose_data": ["examine"],
        "examine": [{}],
        "data": ["train"],
        "train": [{}],
        "evaluate": [{}],
        "candidate": ["judged"],
        "release": ["approved"],
        "fail": ["failed"],
        **{f"look_{job}": ["done"] for job in ("examine", "train", "evaluate")},
    }


answer = RetrainingScript.answer
RUN, MACHINE, STATES = RetrainingScript.RUN, RetrainingScript.machine(), RetrainingScript.states()
NO_MACHINE, THROTTLED = job_script.NO_MACHINE, job_script.THROTTLED
