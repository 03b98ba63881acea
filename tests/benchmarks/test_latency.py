"""What the latency benchmark measures, and what it refuses to count."""

import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from benchmarks import latency
from benchmarks.latency import NotDecided
from cli import score


def test_transactions_are_begun_at_the_rate_although_one_hangs() -> None:
    others = threading.Semaphore(0)

    def ask(number: int) -> None:
        if number == 1:
            assert all(others.acquire(timeout=10) for _ in range(4))
        else:
            others.release()

    assert len(latency.paced(ask, 5, 500.0, "any")) == 5


def test_percentiles_are_milliseconds() -> None:
    assert latency.percentiles([each / 1_000 for each in range(101)]) == {"p50": 50.0, "p95": 95.0, "p99": 99.0}


def test_decision_of_rules_is_not_counted() -> None:
    with pytest.raises(NotDecided, match="stream-1 was decided by rules"):
        latency.require_model("rules", latency.transaction("stream", 1))


@pytest.mark.parametrize(
    "answer",
    [{"status": 503, "transaction_id": "request-1"}, {"status": 200, "degraded": True}],
    ids=["late", "degraded"],
)
def test_answer_without_the_model_is_not_counted(answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(score, "post", lambda *_: (200, json.dumps([answer]).encode()))
    target = SimpleNamespace(output=lambda _: "https://abc.lambda-url", endpoint_url="http://127.0.0.1:1")
    with pytest.raises(NotDecided, match="request-1"):
        latency.by_request(target)(1)  # type: ignore[arg-type]


def test_decision_that_never_comes_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "LONGEST", 0.0)
    client = SimpleNamespace(put_record=lambda **_: None, get_item=lambda **_: {})
    target = SimpleNamespace(client=lambda *_, **__: client, output=lambda name: name)
    with pytest.raises(NotDecided, match="stream-1"):
        latency.by_stream(target)(1)  # type: ignore[arg-type]


def test_table_gives_each_way_as_times_the_bare_call() -> None:
    table = latency._table({"put→decision": [0.01] * 3, "bare call of the model": [0.004] * 3})
    assert [list(column.cells) for column in table.columns][1] == ["10.0 (×2.5)", "4.0 (×1.0)"]
