"""The serving container's contract: what reaches the user's functions, and what becomes of what they return."""

from types import SimpleNamespace
from typing import Any

import pytest

from local.sagemaker.container import SERVER_ERROR, respond


def echo(model: Any, data: Any, content_type: str, accept: str) -> Any:
    return f"{type(data).__name__} {content_type} {accept}", "application/json"


def answer(transform: Any = echo, **head: str) -> tuple[dict[str, Any], str]:
    given, body = respond(transform, None, head, b"1,2")
    return given, body.decode()


@pytest.mark.parametrize(
    ("content_type", "kind"),
    [
        ("text/csv", "str"),
        ("application/json", "str"),
        ("text/csv; charset=utf-8", "bytes"),
        ("application/octet-stream", "bytes"),
    ],
)
def test_a_body_is_text_only_for_exactly_two_types(content_type: str, kind: str) -> None:
    assert answer(content_type=content_type)[1].startswith(f"{kind} {content_type} ")


def test_a_missing_type_counts_as_json() -> None:
    assert answer()[1] == "str application/json application/json"


@pytest.mark.parametrize("accept", ["", "*/*"])
def test_no_preference_is_the_default_accept(accept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", "text/csv")
    assert answer(accept=accept)[1].endswith(" text/csv")


def test_accept_is_passed_on_as_it_is() -> None:
    assert answer(accept="text/csv;q=1")[1].endswith(" text/csv;q=1")


def test_whatever_is_raised_is_a_plain_500(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(*_: Any) -> None:
        raise ValueError("secret detail")

    head, body = answer(refuse)
    assert head == {"status": 500, "content_type": "text/html; charset=utf-8"}
    assert body == SERVER_ERROR and "secret" not in body
    assert "secret detail" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("result", "head"),
    [
        (("1", "text/csv"), {"status": 200, "content_type": "text/csv; charset=utf-8"}),
        ((b"1", "application/json"), {"status": 200, "content_type": "application/json"}),
        ("1", {"status": 200, "content_type": "text/html; charset=utf-8"}),
        (
            SimpleNamespace(status_code=422, content_type="text/plain", get_data=lambda: b"1"),
            {"status": 422, "content_type": "text/plain"},
        ),
    ],
)
def test_results_become_responses_as_flask_makes_them(result: Any, head: dict[str, Any]) -> None:
    assert answer(lambda *_: result) == (head, "1")


def test_a_body_that_is_no_text_is_a_500(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(lambda *_: ({"scores": []}, "application/json"))[0]["status"] == 500
    assert "must be text or bytes" in capsys.readouterr().err
