"""The training container's contract: hyperparameters, command line and environment of the user's script."""

import json
from pathlib import Path

import pytest

from local.sagemaker.training_container import environment, split, user_arguments


def test_values_are_json_where_they_can_be_and_sagemakers_own_are_split_off() -> None:
    given = {"eta": "0.2", "verbose": "true", "objective": "binary:logistic", "sagemaker_program": '"train.py"'}
    assert split(given) == (
        {"sagemaker_program": "train.py"},
        {"eta": 0.2, "verbose": True, "objective": "binary:logistic"},
    )


def test_the_command_line_is_sorted_text() -> None:
    values = {"b": 1, "a-name": True, "mapping": {"x": 1, "y": 2}, "nothing": None}
    assert user_arguments(values) == ["--a-name", "True", "-b", "1", "--mapping", "x=1,y=2", "--nothing", ""]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "input/config").mkdir(parents=True)
    (tmp_path / "input/data/train").mkdir(parents=True)
    (tmp_path / "input/config/resourceconfig.json").write_text('{"current_host":"algo-1"}')
    (tmp_path / "input/config/inputdataconfig.json").write_text("{}")
    return tmp_path


def test_the_environment_names_everything_the_script_may_ask_for(base: Path) -> None:
    variables = environment(base, "train", {"sagemaker_program": "train.py"}, {"max-depth": 3, "name": "x"})
    assert variables["SM_HP_MAX-DEPTH"] == "3"
    assert variables["SM_HP_NAME"] == "x"
    assert json.loads(variables["SM_HPS"]) == {"max-depth": 3, "name": "x"}
    assert json.loads(variables["SM_CHANNELS"]) == ["train"]
    assert variables["SM_CHANNEL_TRAIN"] == str(base / "input/data/train")
    assert variables["SM_MODEL_DIR"] == str(base / "model")
    assert json.loads(variables["SM_USER_ARGS"]) == ["--max-depth", "3", "--name", "x"]
    assert (variables["SM_MODULE_NAME"], variables["SM_USER_ENTRY_POINT"]) == ("train", "train.py")
