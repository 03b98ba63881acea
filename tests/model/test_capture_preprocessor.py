"""The script that Model Monitor runs on what an endpoint captured."""

from __future__ import annotations

import ast
import base64
import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fraud.aws.endpoint import to_csv
from model import capture_preprocessor
from model.capture_preprocessor import preprocess_handler

NAMES = ("amount", "count", "age")


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEATURE_NAMES", raising=False)
    monkeypatch.setattr(capture_preprocessor, "NAMES", NAMES)


def record(data: object, scores: int | None = None, encoding: str = "CSV") -> SimpleNamespace:
    """A captured call, as Model Monitor hands it over."""
    lines = str(data).count("\n") + 1
    answer = json.dumps({"scores": [0.1] * (lines if scores is None else scores), "reasons": []})
    return SimpleNamespace(
        endpoint_input=SimpleNamespace(data=data, encoding=encoding),
        endpoint_output=SimpleNamespace(data=answer, encoding="JSON"),
    )


def test_request_of_many_rows_is_one_record_for_each() -> None:
    rows = to_csv([[1250, 2, 0.5], [80, 0, 12.25]]).decode()

    assert preprocess_handler(record(rows)) == [
        {"amount": "1250", "count": "2", "age": "0.5"},
        {"amount": "80", "count": "0", "age": "12.25"},
    ]


def test_missing_value_is_left_out() -> None:
    assert preprocess_handler(record(to_csv([[1250, None, 0.5]]).decode())) == [{"amount": "1250", "age": "0.5"}]


def test_exponent_is_written_out_for_it_would_be_taken_for_text() -> None:
    assert preprocess_handler(record("1e+16,2,1e-05")) == [
        {"amount": "10000000000000000", "count": "2", "age": "0.00001"}
    ]


def test_row_without_any_value_is_a_probe_and_no_transaction() -> None:
    assert preprocess_handler(record(",,\n1,2,3")) == [{"amount": "1", "count": "2", "age": "3"}]


def test_line_at_the_end_is_no_row() -> None:
    assert len(preprocess_handler(record("1,2,3\r\n4,5,6\r\n", scores=2))) == 2


@pytest.mark.parametrize(
    "captured",
    [
        record("1,2"),
        record("1,2,3\n4,5"),
        record("1,two,3"),
        record("1,nan,3"),
        record("1,inf,3"),
        record(""),
        record(None),
        record("1,2,3", scores=2),
        record(base64.b64encode(b"\xff,2,3").decode(), scores=1, encoding="BASE64"),
        record("no base64", scores=1, encoding="BASE64"),
        SimpleNamespace(
            endpoint_input=SimpleNamespace(data="1,2,3", encoding="CSV"),
            endpoint_output=SimpleNamespace(data="Internal error", encoding="JSON"),
        ),
    ],
    ids=["narrow", "ragged", "word", "nan", "infinite", "empty", "none", "answer", "bytes", "base64", "error"],
)
def test_what_cannot_be_read_is_dropped(captured: SimpleNamespace) -> None:
    assert preprocess_handler(captured) == []


def test_bytes_are_decoded() -> None:
    captured = record(base64.b64encode(b"1,2,3").decode(), scores=1, encoding="BASE64")

    assert preprocess_handler(captured) == [{"amount": "1", "count": "2", "age": "3"}]


def test_answer_that_was_not_captured_is_not_asked_for() -> None:
    assert preprocess_handler(SimpleNamespace(endpoint_input=SimpleNamespace(data="1,2,3", encoding="CSV")))


def test_names_of_the_environment_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_preprocessor, "NAMES", ())
    monkeypatch.setenv("FEATURE_NAMES", "a,b,c")

    assert preprocess_handler(record("1,2,3")) == [{"a": "1", "b": "2", "c": "3"}]


def test_columns_without_names_are_numbered_so_that_they_keep_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture_preprocessor, "NAMES", ())
    (found,) = preprocess_handler(record(",".join(map(str, range(12)))))

    assert sorted(found) == list(found) and [found[name] for name in sorted(found)] == [str(i) for i in range(12)]


def test_script_runs_alone(tmp_path: Path) -> None:
    """As Model Monitor does: the file by itself, without this project."""
    source = Path(capture_preprocessor.__file__).read_text()
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(source, feature_version=(3, 7)))
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else _names(node))
    }
    (tmp_path / "script.py").write_text(source)
    given = "from types import SimpleNamespace as N; import script; "
    call = "print(script.preprocess_handler(N(endpoint_input=N(data='1,2', encoding='CSV'))))"
    done = subprocess.run(
        [sys.executable, "-S", "-c", given + call], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )

    assert imported <= sys.stdlib_module_names
    assert json.loads(done.stdout.replace("'", '"')) == [{"0".zfill(20): "1", "1".zfill(20): "2"}]


def _names(node: ast.AST) -> list[str]:
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
