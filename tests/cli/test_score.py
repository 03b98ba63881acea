"""`fraud score`: a file's transactions, asked about in signed requests."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import score
from cli.errors import CommandError
from cli.main import app
from cli.target import Target
from tests.fakes.samples import event

URL = "https://a1b2c3.lambda-url.eu-west-1.on.aws/"


def decided(asked: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """An answer as the function gives it."""
    return {
        "status": 200,
        "transaction_id": asked["transaction_id"],
        "action": "review",
        "reasons": ["the amount is [5] times the mean"],
        "score": 0.25,
        "degraded": False,
        "model_package": "arn:package",
    } | fields


class Url:
    """What takes requests: keeps them, and answers each transaction."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.status = 200
        self.answer: Callable[[Any], Any] = decided

    def send(self, request: Any) -> Any:
        self.requests.append(request)
        body = json.dumps([self.answer(each) for each in json.loads(request.body)]) if self.answer else "no"
        return SimpleNamespace(status_code=self.status, content=body.encode())

    def asked(self) -> list[list[str]]:
        return [[each["transaction_id"] for each in json.loads(request.body)] for request in self.requests]


@pytest.fixture
def url(stack: Target, monkeypatch: pytest.MonkeyPatch) -> Url:
    stack.outputs["AnswerUrl"] = URL
    found = Url()
    monkeypatch.setattr("botocore.httpsession.URLLib3Session.send", found.send)
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "payment.json"
    path.write_text(json.dumps(event()))
    return path


def test_score_shows_the_decision_and_its_reasons(runner: CliRunner, url: Url, file: Path) -> None:
    result = runner.invoke(app, ["score", str(file)])
    assert result.exit_code == 0
    assert result.stdout == "Sent to review: t1, score 0.2500\n  • the amount is [5] times the mean\n"


def test_score_request_is_signed_for_lambda(runner: CliRunner, url: Url, file: Path) -> None:
    runner.invoke(app, ["score", str(file)])
    [request] = url.requests
    assert (request.method, request.url) == ("POST", URL)
    signature = request.headers["Authorization"]
    signature = signature if isinstance(signature, str) else signature.decode()
    assert (
        signature.startswith("AWS4-HMAC-SHA256 Credential=testing/") and "/eu-west-1/lambda/aws4_request" in signature
    )


def test_score_lines_are_asked_about_25_at_a_time(runner: CliRunner, url: Url, tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(26)]
    path = tmp_path / "payments.jsonl"
    path.write_text("\n\n".join(json.dumps(event(name)) for name in names) + "\n")
    result = runner.invoke(app, ["score", str(path), "--json"])
    assert url.asked() == [names[:25], names[25:]]
    assert [each["transaction_id"] for each in json.loads(result.stdout)] == names


def test_score_list_is_asked_about_as_it_is(runner: CliRunner, url: Url, tmp_path: Path) -> None:
    path = tmp_path / "payments.json"
    path.write_text(json.dumps([event("t1"), event("t2")], indent=2))
    assert runner.invoke(app, ["score", str(path)]).exit_code == 0
    assert url.asked() == [["t1", "t2"]]


def test_score_what_is_not_decided_is_shown_and_ends_with_1(runner: CliRunner, url: Url, tmp_path: Path) -> None:
    path = tmp_path / "payments.json"
    path.write_text(json.dumps([event(f"t{number}") for number in range(4)]))
    faults = {
        "t0": {"status": 400, "error": "invalid_currency", "detail": "no"},
        "t1": decided({"transaction_id": "t1"}, status=409, error="id_reused", detail="used before"),
        "t2": {"status": 503, "error": "not_in_time", "detail": "ask again"},
    }
    url.answer, url.status = lambda asked: faults.get(asked["transaction_id"]) or decided(asked), 503
    result = runner.invoke(app, ["score", str(path)])
    assert result.exit_code == 1
    assert "t0: invalid_currency, no" in result.stdout and "t1: id_reused, used before" in result.stdout
    assert "Of 4 transactions, 1 cannot be accepted, 1 used an id again" in result.stderr
    assert "1 not decided in time; ask again." in result.stderr


@pytest.mark.parametrize(("status", "sentence"), [(403, "InvokeFunctionUrl"), (429, "throttled"), (502, "see its log")])
def test_score_no_answers_are_explained(runner: CliRunner, url: Url, file: Path, status: int, sentence: str) -> None:
    url.answer, url.status = None, status  # type: ignore[assignment]
    result = runner.invoke(app, ["score", str(file)])
    assert (result.exit_code, sentence in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b'{"a": 1}\n{"a"', "see line 2"), (b"", "holds no transaction"), (b"[]", "no transaction"), (b"\xff", "UTF-8")],
)
def test_score_file_without_transactions_is_refused_before_anything_is_asked(
    runner: CliRunner, url: Url, tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "payments"
    path.write_bytes(content)
    result = runner.invoke(app, ["score", str(path)])
    assert (result.exit_code, sentence in result.stderr, url.requests) == (1, True, [])


def test_score_missing_file_is_named(runner: CliRunner, url: Url) -> None:
    result = runner.invoke(app, ["score", "nowhere.json"])
    assert (result.exit_code, "No such file: nowhere.json" in result.stderr) == (1, True)


def test_score_stack_of_an_older_template_says_so(runner: CliRunner, stack: Target, file: Path) -> None:
    result = runner.invoke(app, ["score", str(file)])
    assert (result.exit_code, "has no output AnswerUrl" in result.stderr) == (1, True)


def test_address_on_the_laptop_is_the_laptops(stack: Target) -> None:
    laptop = replace(stack, endpoint_url="http://127.0.0.1:4566")
    laptop.__dict__["outputs"] = {"AnswerUrl": URL}
    assert score.address(laptop) == "http://127.0.0.1:4566/_aws/lambda-url/a1b2c3/"


def test_ask_another_number_of_answers_is_not_believed(stack: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.outputs["AnswerUrl"] = URL
    monkeypatch.setattr(score, "post", lambda *_: (200, b"[]"))
    with pytest.raises(CommandError, match="no decisions"):
        score.ask(stack, [event()])
