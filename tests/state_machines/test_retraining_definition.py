"""What is true of the committed retraining machine by its structure, whatever its functions answer."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from model.thresholds import Thresholds
from model.train import measure
from state_machines.definition import targets
from tests.state_machines.retraining_script import RUN, STATES, RetrainingScript
from tests.state_machines.structure import inputs, outputs

CHOICES = {name: state for name, state in STATES.items() if state["Type"] == "Choice"}
ENDS = {name: state for name, state in STATES.items() if state["Type"] in ("Succeed", "Fail")}


def test_each_question_knows_these_answers() -> None:
    known = {name: {rule["StringEquals"] for rule in state["Choices"]} for name, state in CHOICES.items()}
    assert known == {
        "Is there a run to begin?": {"assemble", "under_way", "nothing", "refused", "superseded"},
        "Is there something to examine?": {"examine", "not_enough", "superseded"},
        "Is the examination done?": {"done", "wait", "superseded"},
        "Can it be learned from?": {"train", "not_enough", "unfit", "superseded"},
        "Is the training done?": {"done", "wait", "superseded"},
        "Is the evaluation done?": {"done", "wait", "superseded"},
        "Is the candidate judged?": {"judged", "superseded"},
        "How did it end?": {"approved", "pending", "rejected", "not_enough", "unfit", "failed", "superseded"},
        "Is the lock free again?": {"failed", "superseded"},
    }


def test_every_run_that_holds_the_lock_releases_it_before_it_ends_well() -> None:
    """But for those that never had it."""
    without = {"Already under way", "Nothing asks for a new model", "Refused", "Superseded", "Lock left"}
    for name in set(ENDS) - without:
        before = {each for each, state in STATES.items() if name in targets(state)}
        assert before <= {"How did it end?", "Is the lock free again?"}


def test_a_run_that_says_something_about_the_data_or_the_model_succeeds() -> None:
    assert {name for name, state in ENDS.items() if state["Type"] == "Succeed"} == {
        "Registered for rollout",
        "Registered for a person",
        "Candidate rejected",
        "Not enough labels yet",
        "Already under way",
        "Nothing asks for a new model",
    }


def test_every_failure_has_a_name_and_says_why() -> None:
    failures = {name: state for name, state in ENDS.items() if state["Type"] == "Fail"}
    assert {name: state["Error"] for name, state in failures.items()} == {
        "Refused": "Refused",
        "Superseded": "Superseded",
        "Data unfit": "DataUnfit",
        "Retraining failed": "RetrainingFailed",
        "Lock left": "LockLeft",
    }
    assert all(each.get("CausePath") == "$.answer.sentence" or each["Cause"] for each in failures.values())


# --- Jobs, as the services get them -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked() -> dict[str, dict[str, Any]]:
    """What the services are asked in a run, by the state's function in it."""
    jobs = RetrainingScript().run().jobs
    return dict(zip(("query", "examine", "train", "evaluate"), (parameters for _, parameters in jobs), strict=True))


def test_jobs_are_named_and_read_and_write_as_the_run_says(asked: dict[str, dict[str, Any]]) -> None:
    examine, train, evaluate = asked["examine"], asked["train"], asked["evaluate"]
    assert asked["query"]["QueryString"] == RUN["query"]
    assert examine["ProcessingJobName"] == RUN["examine_name"]
    assert train["TrainingJobName"] == RUN["train_name"]
    assert evaluate["ProcessingJobName"] == RUN["evaluate_name"]
    assert inputs(examine) == {
        "/opt/ml/processing/input/source": RUN["source_uri"],
        "/opt/ml/processing/input/data": RUN["data_uri"],
    }
    assert inputs(evaluate) == {
        "/opt/ml/processing/input/source": RUN["source_uri"],
        "/opt/ml/processing/input/rows": RUN["evaluate_uri"],
        "/opt/ml/processing/input/candidate": RUN["artefact_uri"],
        "/opt/ml/processing/input/champion": RUN["champion_uri"],
    }
    assert outputs(examine) == {"/opt/ml/processing/output": RUN["examined_uri"]}
    assert outputs(evaluate) == {"/opt/ml/processing/output": RUN["evaluated_uri"]}
    channels = {each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"] for each in train["InputDataConfig"]}
    assert channels == {"train": RUN["learn_uri"], "code": RUN["source_uri"]}
    assert train["OutputDataConfig"]["S3OutputPath"] == RUN["model_uri"]
    assert train["CheckpointConfig"] == {"S3Uri": RUN["checkpoint_uri"]}


def test_a_training_is_shut_off_from_the_network_and_encrypted_and_ends_by_itself(asked: dict[str, Any]) -> None:
    key = {"VolumeKmsKeyId": "arn:aws:lambda:eu-central-1:123456789012:function:DataKeyArn"}
    train = asked["train"]
    assert (train["EnableNetworkIsolation"], train["StoppingCondition"]) == (True, RUN["stopping"])
    assert key.items() <= train["ResourceConfig"].items()
    assert train["OutputDataConfig"]["KmsKeyId"] == key["VolumeKmsKeyId"]


def test_a_training_runs_the_script_without_a_download_and_may_be_interrupted(asked: dict[str, Any]) -> None:
    train = asked["train"]
    assert train["HyperParameters"] == RUN["hyperparameters"]
    assert train["HyperParameters"]["sagemaker_program"] == "train.py"
    assert train["Environment"] == {"PIP_NO_BUILD_ISOLATION": "0"}
    assert train["EnableManagedSpotTraining"] is True


def test_every_number_that_the_training_prints_becomes_a_metric(asked: dict[str, Any]) -> None:
    scores, is_fraud = np.array([0.1, 0.9, 0.2, 0.8]), np.array([False, True, False, True])
    printed = measure(scores, is_fraud, Thresholds(review=0.3, block=0.7))
    defined = {each["Name"]: each["Regex"] for each in asked["train"]["AlgorithmSpecification"]["MetricDefinitions"]}
    assert defined.keys() == {f"validation:{name}" for name in printed}
    for name, value in printed.items():
        found = re.search(defined[f"validation:{name}"], f"validation:{name}={value:.6f}")
        assert found is not None and float(found[1]) == pytest.approx(value, abs=1e-6)
