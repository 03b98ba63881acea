"""Lets moto's interpreter run jobs that are waited for, `.sync`, of services for which it cannot.

It refuses them for SageMaker and Athena; the day it does not, `test_engine` says so, and this can go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moto.stepfunctions.parser.api import HistoryEventType, TaskFailedEventDetails
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_unsupported import (
    StateTaskServiceUnsupported,
)
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails


class JobFailed(Exception):
    """A job that was not started, or did not come to a good end.

    Args:
        error: as Step Functions names it, for example `SageMaker.ResourceInUseException` or `States.TaskFailed`.
        cause: of a job that ran, its description as JSON text.
    """

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


Job = Callable[[dict[str, Any]], Any]
"""A job: from its parameters to its description at its end.

Raises: JobFailed; TimeoutError if it takes longer than its state allows.
"""
Do = Callable[[str, dict[str, Any]], Any]
"""Does the job of a resource, `sagemaker:createTrainingJob.sync`."""


def replacements(do: Do) -> list[tuple[Any, str, Any]]:
    """What is to be replaced of the interpreter: owner, name and replacement."""

    def perform(state: Any, *, env: Any, normalised_parameters: dict[str, Any], **_: Any) -> None:
        resource = f"{state.resource.service_name}:{state.resource.api_action}.{state.resource.condition}"
        env.stack.append(_performed(state, env, lambda: do(resource, normalised_parameters)))

    return [
        (StateTaskServiceUnsupported, "_log_unsupported_warning", lambda _: None),
        (StateTaskServiceUnsupported, "_assert_integration_pattern_is_supported", lambda _: None),
        (StateTaskServiceUnsupported, "_eval_service_task", perform),
        (StateTaskServiceUnsupported, "_eval_integration_pattern", lambda *_, **__: None),
    ]


def _performed(state: Any, env: Any, job: Callable[[], Any]) -> Any:
    try:
        return job()
    except TimeoutError:
        raise
    except JobFailed as failure:
        raise FailureEventException(_event(state, env, failure)) from failure
    except BaseException as error:
        # Else its thread would end without a word, and the interpreter wait for hours.
        raise RuntimeError(f"a job of the test broke down: {error!r}") from error


def _event(state: Any, env: Any, failure: JobFailed) -> FailureEvent:
    known = failure.error.startswith("States.")
    name = StatesErrorName.from_name(failure.error) if known else CustomErrorName(failure.error)
    details = TaskFailedEventDetails(
        resourceType=state._get_sfn_resource_type(),
        resource=state._get_sfn_resource(),
        error=failure.error,
        cause=failure.cause,
    )
    event_type = HistoryEventType.TaskFailed
    return FailureEvent(env, name, event_type, EventDetails(taskFailedEventDetails=details))
