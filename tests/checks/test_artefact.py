"""The check of the artefact imports handlers from it alone, and weighs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from checks.artefact import LARGEST, NotImported, import_seconds, imports, overweight, size


def template(*handlers: str) -> dict[str, Any]:
    functions = [{"Handler": each, "Environment": {"Variables": {"RETENTION_DAYS": ""}}} for each in handlers]
    return {"Resources": {str(n): {"Type": "AWS::Lambda::Function", "Properties": f} for n, f in enumerate(functions)}}


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    (tmp_path / "works.py").write_text("import os\ndays = int(os.environ['RETENTION_DAYS'])\ndef handler(): ...\n")
    (tmp_path / "fails.py").write_text("import pytest\n")
    return tmp_path


def test_handler_that_imports_is_timed_and_leaves_nothing_compiled(artefact: Path) -> None:
    seconds, failures = imports(artefact, template("works.handler"))

    assert failures == [] and list(seconds) == ["works.handler"]
    assert 0 <= seconds["works.handler"] < 60
    assert {path.name for path in artefact.iterdir()} == {"works.py", "fails.py"}


def test_handler_that_needs_what_is_not_in_the_artefact_fails_the_check(artefact: Path) -> None:
    seconds, [failure] = imports(artefact, template("fails.handler", "works.handler"))

    assert list(seconds) == ["works.handler"]
    assert failure.startswith("fails.handler\n") and "No module named 'pytest'" in failure


def test_handler_without_its_function_fails(artefact: Path) -> None:
    with pytest.raises(NotImported, match=r"works\.other\n"):
        import_seconds(artefact, "works.other", {"RETENTION_DAYS": "1"})


def test_module_alone_is_imported(artefact: Path) -> None:
    assert import_seconds(artefact, "json", {}) >= 0


def test_size_counts_all_files_but_compiled_ones(tmp_path: Path) -> None:
    (tmp_path / "package" / "__pycache__").mkdir(parents=True)
    for name, length in {"a.py": 3, "package/data.json.gz": 5, "package/__pycache__/a.pyc": 7}.items():
        (tmp_path / name).write_bytes(b"x" * length)

    assert size(tmp_path) == 8


def test_artefact_is_too_large_from_one_byte_more() -> None:
    assert overweight(LARGEST) == []
    assert overweight(LARGEST + 1) == ["30,000,001 bytes unpacked, more than 30,000,000"]
