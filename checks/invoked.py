"""Run by checks.first_calls in an interpreter of its own, where nothing but a function and its layers can be imported.

`invoked.py HANDLER DIRECTORY...` reads an event from standard input, and writes the answer, or the name of the error
that the handler raised, as the last line of its output.
"""

import importlib
import json
import sys
from typing import Any


class Context:
    """What Lambda passes beside the event."""

    aws_request_id = "first-call"
    function_name = "first-call"
    invoked_function_arn = "arn:aws:lambda:us-east-1:000000000000:function:first-call"
    memory_limit_in_mb = "1769"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


def main(handler: str, *path: str) -> dict[str, Any]:
    sys.path[:0] = path
    module, _, name = handler.partition(".")
    function = getattr(importlib.import_module(module), name)
    try:
        return {"answer": function(json.load(sys.stdin), Context())}
    except Exception as error:  # noqa: BLE001 - whatever a handler raises is its answer
        return {"error": type(error).__name__, "message": str(error)}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
