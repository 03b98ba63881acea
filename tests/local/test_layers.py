"""Layers: where /opt is not ours to write to, a function reads the directory that its template names."""

import json
from pathlib import Path
from typing import Any

import pytest

from local import template
from local.environments import Function
from tests.local.conftest import STACK, Running

LAYER = STACK.parent / "layer"


def test_a_variable_below_opt_is_a_place_in_the_layers_directory(stack: Running, outputs: dict[str, str]) -> None:
    answer = stack.client("lambda").invoke(FunctionName=outputs["Layered"], Payload=json.dumps({"command": "layer"}))
    assert json.loads(answer["Payload"].read()) == {
        "note": "from the layer\n",
        "SOURCE": str(LAYER),
        "NOTE": str(LAYER / "notes/note.txt"),
        "OTHER": "/optional",
    }


def test_a_function_tells_its_layer_and_its_variables_as_they_were_given(
    stack: Running, outputs: dict[str, str]
) -> None:
    configuration = stack.client("lambda").get_function_configuration(FunctionName=outputs["Layered"])
    (layer,) = configuration["Layers"]
    assert ":layer:" in layer["Arn"]
    assert configuration["Environment"]["Variables"]["SOURCE"] == "/opt"


def test_a_function_without_a_layer_keeps_its_variables() -> None:
    configuration = {
        "FunctionName": "f",
        "FunctionArn": "arn",
        "Role": "arn:aws:iam::123456789012:role/f",
        "Handler": "f.handler",
        "LoggingConfig": {"LogGroup": "/aws/lambda/f"},
        "Environment": {"Variables": {"SOURCE": "/opt"}},
    }
    assert Function.from_configuration(configuration, Path("code")).variables == (("SOURCE", "/opt"),)


def with_layers(*layers: str, **variables: str) -> dict[str, Any]:
    properties = {
        "Runtime": "python3.11",
        "Handler": "f.handler",
        "CodeUri": "code/",
        "Layers": [{"Ref": name} for name in layers],
        "Environment": {"Variables": variables},
    }
    resources = {name: {"Type": "AWS::Serverless::LayerVersion", "Properties": {"ContentUri": name}} for name in layers}
    return {"Resources": {"F": {"Type": "AWS::Serverless::Function", "Properties": properties}, **resources}}


def translated(document: dict[str, Any]) -> dict[str, Any]:
    places = {directory: f"s3://assets/{number}.zip" for number, directory in enumerate(("code/", "First", "Second"))}
    assert template.code_directories(document) <= places.keys()
    native = template.translate(document, places, {"AWS::Lambda::Function", "AWS::Lambda::LayerVersion"}, "us-east-1")
    resources: dict[str, Any] = json.loads(native.body)["Resources"]
    return resources


def test_the_content_of_a_layer_is_placed_like_code() -> None:
    resources = translated(with_layers("First"))
    (layer,) = [each for each in resources.values() if each["Type"] == "AWS::Lambda::LayerVersion"]
    assert layer["Properties"]["Content"] == {"S3Bucket": "assets", "S3Key": "1.zip"}


def test_a_layer_that_has_to_be_built_is_set_aside_wherever_it_stands(tmp_path: Path) -> None:
    document = with_layers("First", "Second", SOURCE="/opt/model")
    document["Resources"]["First"]["Metadata"] = {"BuildMethod": "makefile"}
    document["Globals"] = {"Function": {"Layers": [{"Ref": "First"}]}}
    (tmp_path / "template.json").write_text(json.dumps(document))
    read = template.read(tmp_path / "template.json")

    assert template.code_directories(read) == {"code/", "Second"}
    (second,) = translated(read)["F"]["Properties"]["Layers"]
    assert second["Ref"].startswith("Second")


def test_several_layers_are_refused_if_the_function_reads_them() -> None:
    with pytest.raises(template.NotSupported, match=r"F has several layers"):
        translated(with_layers("First", "Second", SOURCE="/opt/model"))
    assert "F" in translated(with_layers("First", "Second", SOURCE="/optional"))
