"""Queue mappings: the stand-in polls and hides messages; how batches are cut and answers are read is corrected here.

It cuts batches of ten whatever the mapping says, knows no batching window, and takes an invalid report of failures for
success. Messages that failed stay hidden until their visibility timeout, and the queue's redrive policy counts them.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from local.batch_response import failures
from local.gateway import service

_RECEIVE_LIMIT = 10
_BACKOFF_SECONDS = 1.0


def install() -> None:
    """Replace how the stand-in's poller receives from queues and what it does with a function's answer."""
    queues, functions = service("sqs"), service("lambda_svc")
    queues._receive_messages_for_esm = _receiver(queues, functions, queues._receive_messages_for_esm)
    functions._run_sqs_batch = _run_batch


def _receiver(queues: Any, functions: Any, receive: Callable[[str, int], list[Any]]) -> Callable[[str, int], list[Any]]:
    lock = threading.Lock()

    def receive_batch(url: str, size: int) -> list[Any]:
        queue = queues._queues[url]
        with lock:
            if not _complete(queue, size, _window(functions, queue["attributes"]["QueueArn"])):
                return []
            batch: list[Any] = []
            while len(batch) < size and (more := receive(url, min(_RECEIVE_LIMIT, size - len(batch)))):
                batch += more
        return batch

    return receive_batch


def _window(functions: Any, queue_arn: str) -> float:
    windows = (
        m["MaximumBatchingWindowInSeconds"] for m in functions._esms.values() if m["EventSourceArn"] == queue_arn
    )
    return float(next(windows, 0))


def _complete(queue: Any, size: int, window: float) -> bool:
    """Whether a batch is full, or its oldest message has waited for the window."""
    now = time.time()
    visible_since = sorted(message["visible_at"] for message in queue["messages"] if message["visible_at"] <= now)
    return len(visible_since) >= size or (bool(visible_since) and now - visible_since[0] >= window)


def _run_batch(mapping: Any, function: Any, event: Any, batch: list[Any], queue_url: str, queue_name: str) -> None:
    """The stand-in's contract: invoke the function and remove what it took from the queue."""
    functions = service("lambda_svc")
    result = functions._execute_function(function, event)
    failed = _failed(result, batch, "ReportBatchItemFailures" in mapping["FunctionResponseTypes"])
    taken = {message["receipt_handle"] for message in batch if message["id"] not in failed}
    service("sqs")._delete_messages_for_esm(queue_url, taken)
    mapping["LastProcessingResult"] = "OK" if taken else "PROBLEM: Function call failed"
    if not taken:
        functions._esm_backoff_until[mapping["UUID"]] = time.time() + _BACKOFF_SECONDS


def _failed(result: Any, batch: list[Any], reports: bool) -> set[str]:
    everything = {message["id"] for message in batch}
    if result.get("error"):
        return everything
    reported = failures(result.get("body"), everything) if reports else set()
    return everything if reported is None else reported
