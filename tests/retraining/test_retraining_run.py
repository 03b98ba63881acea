"""What the machine's jobs read: names, addresses and arguments, all of them plain text, numbers and lists."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fraud.retraining import Files
from fraud.retraining_plan import Plan
from fraud.services import retraining_run
from tests.fakes.retraining import EXECUTION, retraining
from tests.state_machines.retraining_script import STATES
from tests.state_machines.structure import read

FILES = Files("archive", "fraud", EXECUTION, "first")
SOURCE = "s3://archive/source/0123456789abcdef/source.tar.gz"
CHAMPION = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/7"
ROOT = "s3://archive/retraining/first"
JOB = FILES.job("train").removesuffix("-train")


def run(plan: Plan | None = None, champion_uri: str = "", **fields: Any) -> dict[str, Any]:
    record = retraining(plan=plan or Plan(), **fields)
    return retraining_run.run(record, FILES, source_uri=SOURCE, query="UNLOAD", champion_uri=champion_uri)


def arguments(words: list[str]) -> dict[str, str]:
    return dict(zip(words[::2], words[1::2], strict=True))


def test_run_holds_what_the_states_read_and_no_more() -> None:
    read_of_it = {path.split(".")[2] for state in STATES.values() for path in read(state) if ".run." in path}
    assert read_of_it == set(run())


def test_run_is_plain_values_that_survive_the_machine() -> None:
    told = run(Plan(hyperparameters={"eta": 0.1, "max_depth": 6, "booster": "dart"}))
    assert json.loads(json.dumps(told)) == told


def test_run_addresses_lie_below_the_run() -> None:
    told = run()
    assert {name: told[name] for name in told if name.endswith("_uri")} == {
        "source_uri": SOURCE,
        "data_uri": f"{ROOT}/dataset/",
        "examined_uri": f"{ROOT}/examined/",
        "learn_uri": f"{ROOT}/examined/learn/",
        "evaluate_uri": f"{ROOT}/examined/evaluate/",
        "checkpoint_uri": f"{ROOT}/checkpoints/",
        "model_uri": f"{ROOT}/model/",
        "artefact_uri": f"{ROOT}/model/{JOB}-train/output/model.tar.gz",
        "champion_uri": f"{ROOT}/model/{JOB}-train/output/model.tar.gz",
        "evaluated_uri": f"{ROOT}/evaluated/",
    }


def test_run_jobs_have_names_of_their_own() -> None:
    told = run()
    names = [told[f"{job}_name"] for job in ("examine", "train", "evaluate")]
    assert names == [f"{JOB}-examine", f"{JOB}-train", f"{JOB}-evaluate"]


@pytest.mark.parametrize(
    ("source", "address"),
    [("archive", f"{ROOT}/dataset/"), ("history", "s3://archive/history/2024/"), ("simulator", SOURCE)],
)
def test_run_data_lies_where_its_source_says(source: str, address: str) -> None:
    assert run(Plan(history_uri="s3://archive/history/2024/"), source=source)["data_uri"] == address


def test_run_examination_is_told_every_limit_of_the_plan() -> None:
    plan = Plan(training_days=60, maturity_days=5, evaluation_days=6, gap_days=4, most_fraud_share=0.3)
    assert arguments(run(plan, source="history")["examine_arguments"]) == {
        "--source": "history",
        "--as-of": "2025-06-15T15:06:40.000Z",
        "--training-days": "60",
        "--maturity-days": "5",
        "--evaluation-days": "6",
        "--gap-days": "4",
        "--fewest-frauds": "50",
        "--fewest-evaluation-frauds": "20",
        "--freshest-hours": "72",
        "--freshest-label-days": "14",
        "--most-fraud-share": "0.3",
    }


@pytest.mark.parametrize(
    ("champion", "fairness", "told"),
    [
        (CHAMPION, ("country", "channel"), {"--champion": CHAMPION, "--fairness": "country,channel"}),
        ("", (), {"--champion": "none", "--fairness": "none"}),
    ],
)
def test_run_evaluation_is_told_its_champion(champion: str, fairness: tuple[str, ...], told: dict[str, str]) -> None:
    words = run(Plan(fairness=fairness, draws=200), champion=champion)["evaluate_arguments"]
    assert arguments(words) == {"--source": "archive", "--draws": "200"} | told


def test_run_champion_is_looked_for_where_the_registry_says() -> None:
    assert (
        run(champion_uri="s3://archive/models/7/model.tar.gz")["champion_uri"] == "s3://archive/models/7/model.tar.gz"
    )


def test_run_hyperparameters_are_text_and_name_the_script() -> None:
    assert run(Plan(hyperparameters={"eta": 0.1, "max_depth": 6}))["hyperparameters"] == {
        "eta": "0.1",
        "max_depth": "6",
        "sagemaker_program": "train.py",
        "sagemaker_submit_directory": "/opt/ml/input/data/code/source.tar.gz",
    }


@pytest.mark.parametrize(
    ("spot", "stopping"),
    [
        (True, {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 900}),
        (False, {"MaxRuntimeInSeconds": 600}),
    ],
)
def test_run_waiting_is_limited_where_training_may_be_interrupted(spot: bool, stopping: dict[str, int]) -> None:
    told = run(Plan(spot=spot, run_seconds=600, wait_seconds=900, instance_type="ml.m5.large"))
    assert (told["spot"], told["stopping"], told["run_seconds"]) == (spot, stopping, 600)
    assert told["instance_type"] == "ml.m5.large"
