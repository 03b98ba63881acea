"""Use-cases are put together from an environment that is complete, or the cold start fails and says what is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from fraud import retraining_bootstrap
from fraud.errors import InvalidSettings
from tests.fakes.functions import ENVIRONMENT

RETRAINING: Mapping[str, str] = ENVIRONMENT | {
    "RETRAINING_PLAN": "{}",
    "ARCHIVE_BUCKET": "archive",
    "JOB_PREFIX": "fraud",
    "ALARM_PREFIX": "fraud-retrain-",
    "MODEL_SOURCE": "/opt",
    "SOURCE_COMMIT": "c" * 40,
}
CONSTRUCTORS: Mapping[str, tuple[Callable[[Mapping[str, str]], Any], tuple[str, ...]]] = {
    "prepare_retraining": (
        retraining_bootstrap.retraining_start,
        (
            *("ROLLOUT_TABLE", "RETRAINING_PLAN", "ARCHIVE_BUCKET", "JOB_PREFIX", "MODEL_PACKAGE_GROUP", "MODEL_IMAGE"),
            *("ALARM_PREFIX", "MODEL_SOURCE"),
        ),
    ),
    "judge_retraining": (
        retraining_bootstrap.retraining_judgement,
        ("ROLLOUT_TABLE", "ARCHIVE_BUCKET", "JOB_PREFIX", "MODEL_PACKAGE_GROUP", "MODEL_IMAGE", "SOURCE_COMMIT"),
    ),
    "finish_retraining": (retraining_bootstrap.retraining_end, ("ROLLOUT_TABLE", "ALARM_TOPIC", "ALARM_PREFIX")),
}


@pytest.mark.parametrize(
    ("name", "variable"), [(name, variable) for name, (_, needed) in CONSTRUCTORS.items() for variable in needed]
)
def test_cold_start_without_a_variable_names_it(name: str, variable: str) -> None:
    env = {key: value for key, value in RETRAINING.items() if key != variable}
    with pytest.raises(InvalidSettings, match=variable):
        CONSTRUCTORS[name][0](env)


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_cold_start_needs_no_more_than_its_variables(name: str) -> None:
    make, needed = CONSTRUCTORS[name]
    assert make({variable: RETRAINING[variable] for variable in needed}).records.store.table == "rollouts"


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("{", "RETRAINING_PLAN is no plan"),
        ("[]", "RETRAINING_PLAN is no plan"),
        ('{"training_day": 5}', "RETRAINING_PLAN is no plan: .*training_day"),
        ('{"training_days": 0}', "RETRAINING_PLAN is no plan: plan.training_days must lie between"),
    ],
)
def test_cold_start_with_a_default_plan_that_is_none_fails(plan: str, words: str) -> None:
    with pytest.raises(InvalidSettings, match=words):
        retraining_bootstrap.retraining_start({**RETRAINING, "RETRAINING_PLAN": plan})


def test_retraining_start_knows_its_bucket_names_source_and_plan() -> None:
    made: Any = retraining_bootstrap.retraining_start({**RETRAINING, "RETRAINING_PLAN": '{"training_days": 30}'})
    assert (made.bucket, made.job_prefix, made.default_plan) == ("archive", "fraud", {"training_days": 30})
    assert (made.source.model, made.alarms.prefix, made.files.bucket) == (Path("/opt"), "fraud-retrain-", "archive")


def test_retraining_judgement_registers_in_the_group_what_lies_in_the_archive() -> None:
    made: Any = retraining_bootstrap.retraining_judgement(RETRAINING)
    assert (made.packages.registry.group, made.packages.registry.image) == ("fraud", ENVIRONMENT["MODEL_IMAGE"])
    assert {made.artefacts.bucket, made.packages.store.bucket, made.files.bucket, made.bucket} == {"archive"}
    assert made.commit == "c" * 40


def test_retraining_end_calls_people_by_the_topic() -> None:
    made: Any = retraining_bootstrap.retraining_end(RETRAINING)
    assert (made.bell.topic_arn, made.alarms.prefix) == (ENVIRONMENT["ALARM_TOPIC"], "fraud-retrain-")


def test_job_inspection_asks_sagemaker() -> None:
    made: Any = retraining_bootstrap.job_inspection()
    assert made.jobs.client.meta.service_model.service_name == "sagemaker"


def test_clients_try_no_longer_than_their_function_may_take() -> None:
    made: Any = retraining_bootstrap.job_inspection()
    config = made.jobs.client.meta.config
    assert config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout) < 60


def test_scoring_and_rollouts_do_not_load_what_a_retraining_needs() -> None:
    code = "import sys, fraud.bootstrap, fraud.rollout_bootstrap; sys.exit('fraud.retraining_bootstrap' in sys.modules)"
    done = run([sys.executable, "-c", code], cwd="functions", check=False, timeout=30)
    assert done.returncode == 0
