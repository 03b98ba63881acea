"""Functions and jobs that answer the machine `monitoring` by a script."""

from __future__ import annotations

from typing import ClassVar

from tests.state_machines.job_script import JobScript

ROOT = "s3://archive-bucket/monitoring/baselines/first"
CHAMPION = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/7"


class MonitoringScript(JobScript):
    """A run that makes a baseline and replaces a schedule."""

    NAME = "monitoring"
    TASKS: ClassVar = {
        "RefreshMonitoringArn": {
            "lock",
            "choose_reference",
            "judge_baseline",
            "replace_schedules",
            "check_liveness",
            "release",
            "fail",
        },
        "InspectJobArn": {"look"},
    }
    RUN: ClassVar = {
        "query": f"UNLOAD (SELECT 1) TO '{ROOT}/dataset/' WITH (format = 'PARQUET')",
        "source_uri": "s3://archive-bucket/source/0123456789abcdef/source.tar.gz",
        "reference_uri": f"{ROOT}/dataset/",
        "champion_uri": "s3://archive-bucket/models/champion.tar.gz",
        "baseline_uri": f"{ROOT}/baseline/",
        "baseline_name": "fraud-0123456789ab-baseline",
        "baseline_arguments": ["--champion", CHAMPION, "--reference", "archive", "--as-of", "2026-03-01T00:00:00.000Z"],
        "instance_type": "ml.m5.xlarge",
        "run_seconds": 3_600,
    }
    WELL: ClassVar = {
        "lock": ["assemble"],
        "query": [{}],
        "choose_reference": ["baseline"],
        "baseline": [{}],
        "look_baseline": ["done"],
        "judge_baseline": ["schedules"],
        "replace_schedules": ["wait", "settled"],
        "check_liveness": ["checked"],
        "release": ["refreshed"],
        "fail": ["failed"],
    }


answer = MonitoringScript.answer
RUN, MACHINE, STATES = MonitoringScript.RUN, MonitoringScript.machine(), MonitoringScript.states()
EXECUTION = MonitoringScript.execution()
