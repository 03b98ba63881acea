"""The check of the artefact imports handlers from it alone, and weighs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from checks.artefact import FROM_SOURCE, LARGEST, Built, NotImported, built, import_seconds, imports, overweight, slow

TEMPLATE = """
Globals:
  Function:
    Layers: [!Ref Packages]
    Environment: {Variables: {LOG_LEVEL: !Ref LogLevel}}
Resources:
  Packages: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: Packages}}
  Scripts: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: ../scripts}}
  Plain: {Type: AWS::Serverless::Function, Properties: {Handler: works.handler, CodeUri: Plain}}
  Layered:
    Type: AWS::Serverless::Function
    Properties:
      Handler: fails.handler
      CodeUri: Layered
      Layers: [!Ref Scripts]
      Environment: {Variables: {RETENTION_DAYS: !Ref Days}}
"""


def function(artefact: Path, handler: str, *layers: Path) -> Built:
    return Built(handler, handler, artefact, layers, {"RETENTION_DAYS": {"Ref": "Days"}})


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    (tmp_path / "works.py").write_text("import os\ndays = int(os.environ['RETENTION_DAYS'])\ndef handler(): ...\n")
    (tmp_path / "fails.py").write_text("import pytest\n")
    return tmp_path


def test_a_functions_layers_and_variables_are_those_of_all_and_then_its_own(tmp_path: Path) -> None:
    directory = tmp_path / "build"
    directory.mkdir()
    (directory / "template.yaml").write_text(TEMPLATE)
    plain, layered = built(directory)

    assert (plain.name, plain.handler, plain.code) == ("Plain", "works.handler", directory / "Plain")
    assert (plain.layers, set(plain.variables)) == ((directory / "Packages",), {"LOG_LEVEL"})
    assert layered.layers == (directory / "Packages", tmp_path / "scripts")
    assert set(layered.variables) == {"LOG_LEVEL", "RETENTION_DAYS"}
    assert layered.path[0] == str(directory / "Layered")
    assert layered.path[1:] == [str(each / "python") for each in layered.layers]


def test_handler_that_imports_is_timed_and_leaves_nothing_compiled(artefact: Path) -> None:
    seconds, failures = imports([function(artefact, "works.handler")])

    assert failures == [] and list(seconds) == ["works.handler"]
    assert 0 <= seconds["works.handler"] < 60
    assert {path.name for path in artefact.iterdir()} == {"works.py", "fails.py"}


def test_handler_that_needs_what_is_not_in_the_artefact_fails_the_check(artefact: Path) -> None:
    seconds, [failure] = imports([function(artefact, "fails.handler"), function(artefact, "works.handler")])

    assert list(seconds) == ["works.handler"]
    assert failure.startswith("fails.handler\n") and "No module named 'pytest'" in failure


def test_handler_finds_what_its_layer_brings(artefact: Path) -> None:
    (artefact / "layer" / "python").mkdir(parents=True)
    (artefact / "layer" / "python" / "pytest.py").write_text("")
    (artefact / "fails.py").write_text("import pytest\ndef handler(): ...\n")

    assert imports([function(artefact, "fails.handler", artefact / "layer")])[1] == []


def test_handler_without_its_function_fails(artefact: Path) -> None:
    with pytest.raises(NotImported, match=r"works\.other\n"):
        import_seconds([str(artefact)], "works.other", {"RETENTION_DAYS": "1"})


def test_module_alone_is_imported_from_source_where_that_is_asked_for() -> None:
    assert import_seconds([], "json", {}, FROM_SOURCE) > import_seconds([], "keyword", {})


def test_a_function_is_as_large_as_all_its_files_and_those_of_its_layers(tmp_path: Path) -> None:
    for name, length in {"code/a.py": 3, "code/data.json.gz": 5, "layer/python/__pycache__/a.pyc": 7}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x" * length)

    assert function(tmp_path / "code", "a.handler", tmp_path / "layer").size == 15


def test_a_function_is_too_large_from_one_byte_more(tmp_path: Path) -> None:
    with (tmp_path / "a").open("wb") as file:
        file.truncate(LARGEST)
        assert overweight([function(tmp_path, "a.handler")]) == []
        file.truncate(LARGEST + 1)
    assert overweight([function(tmp_path, "a.handler")]) == ["a.handler: 30,000,001 bytes, more than 30,000,000"]


def test_an_import_is_slow_that_takes_a_large_part_of_what_boto3_takes_from_source() -> None:
    [line] = slow({"quick.handler": 0.17, "slow.handler": 0.19}, source=0.3)
    assert re.match(r"slow\.handler: imported in 0\.19 s, 0\.63 of boto3", line)
