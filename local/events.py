"""Events to functions: delivered as asynchronous invocations, which Lambda tries twice more when they fail.

The stand-in does so for its Invoke operation, and tries once what comes from rules and topics.
"""

import json

from local.gateway import service


def install() -> None:
    service("eventbridge")._dispatch_to_lambda = _to_function


def _to_function(arn: str, payload: str) -> None:
    functions = service("lambda_svc")
    function, configuration, _ = functions._get_func_record_for_ref(arn)
    if function and configuration:
        record = functions._execution_record_for_config(function, configuration)
        functions.invoke_async_with_retry(record, json.loads(payload))
