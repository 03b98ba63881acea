"""Functions and jobs that answer the machine `drift` by a script."""

from __future__ import annotations

from typing import ClassVar

from tests.state_machines.job_script import JobScript

ROOT = "s3://archive-bucket/monitoring/windows/first"
CHAMPION = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/7"
SINCE, UNTIL = "2026-03-01T00:00:00.000Z", "2026-03-02T00:00:00.000Z"


class DriftScript(JobScript):
    """A look that finds nothing."""

    NAME = "drift"
    TASKS: ClassVar = {
        "JudgeWindowArn": {"choose_window", "choose_data", "judge", "fail"},
        "InspectJobArn": {"look"},
    }
    RUN: ClassVar = {
        "since": SINCE,
        "until": UNTIL,
        "champion": CHAMPION,
        "query": f"UNLOAD (SELECT 1) TO '{ROOT}/dataset/' WITH (format = 'PARQUET')",
        "source_uri": "s3://archive-bucket/source/0123456789abcdef/source.tar.gz",
        "rows_uri": f"{ROOT}/dataset/",
        "champion_uri": "s3://archive-bucket/models/champion.tar.gz",
        "challenger_uri": "s3://archive-bucket/models/challenger.tar.gz",
        "baseline_uri": "s3://archive-bucket/monitoring/baselines/refreshed/baseline/",
        "findings_uri": f"{ROOT}/findings/",
        "monitor_name": "fraud-0123456789ab-monitor",
        "monitor_arguments": ["--since", SINCE, "--until", UNTIL, "--champion", CHAMPION, "--challenger", "none"],
        "instance_type": "ml.m5.xlarge",
        "run_seconds": 3_600,
    }
    WELL: ClassVar = {
        "choose_window": ["assemble"],
        "query": [{}],
        "choose_data": ["look"],
        "monitor": [{}],
        "look_monitor": ["done"],
        "judge": ["quiet"],
        "fail": ["failed"],
    }


answer = DriftScript.answer
RUN, MACHINE, STATES = DriftScript.RUN, DriftScript.machine(), DriftScript.states()
EXECUTION = DriftScript.execution()
