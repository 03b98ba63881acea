"""The check of first calls has one for every function, and reads what a handler answers on its own."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from checks.artefact import Built
from checks.first_calls import DECIDING, call, event
from checks.translation import read_template

HANDLER = "def handler(event, context):\n    {body}\n"


def test_every_function_of_the_template_has_its_first_call() -> None:
    functions = [each["Properties"] for each in read_template()["Resources"].values() if "Function" in each["Type"]]
    handlers = [each["Handler"].partition(".")[0] for each in functions if "Handler" in each]
    assert len(handlers) > len(DECIDING) and all(event(each) for each in handlers)


def test_those_that_decide_are_given_transactions_of_their_own() -> None:
    assert '"transaction_id": "answer_transaction"' in event("answer_transaction")["body"]
    [record] = event("score_transactions")["Records"]
    assert json.loads(base64.b64decode(record["kinesis"]["data"]))["transaction_id"] == "score_transactions"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return {'task': event['task'], 'left': context.get_remaining_time_in_millis()}", ""),
        ("raise KeyError('names')", "inspect_job: {'error': 'KeyError', 'message': \"'names'\"}"),
    ],
)
def test_an_error_is_no_answer(tmp_path: Path, body: str, said: str) -> None:
    (tmp_path / "inspect_job.py").write_text(HANDLER.format(body=body))
    assert call(Built("F", "inspect_job.handler", tmp_path, (), {}), {}) == said


def test_a_handler_that_does_not_import_answers_nothing(tmp_path: Path) -> None:
    (tmp_path / "inspect_job.py").write_text("import boto3\n")
    assert "No module named 'boto3'" in call(Built("F", "inspect_job.handler", tmp_path, (), {}), {})


def test_a_refusal_that_is_the_answer_is_one(tmp_path: Path) -> None:
    (tmp_path / "steer_rollout.py").write_text(
        "class RolloutSuperseded(Exception): ...\n" + HANDLER.format(body="raise RolloutSuperseded")
    )
    steer = Built("F", "steer_rollout.handler", tmp_path, (), {})
    assert call(steer, {}) == ""
    (tmp_path / "steer_rollout.py").write_text(HANDLER.format(body=f"return {json.dumps({'next': 'x'})}"))
    assert "next" in call(steer, {})
