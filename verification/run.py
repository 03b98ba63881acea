"""Asks one probe after another; whatever becomes of one, what stands is removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from verification.account import sanitised, told
from verification.errors import VerificationError
from verification.probe import Answer, Probe, inconclusive
from verification.sandbox import Sandbox


def answers(probes: Sequence[Probe], sandbox: Sandbox, note: Callable[[Probe], None]) -> Iterator[tuple[Probe, Answer]]:
    """Each probe's answer, as soon as it is known."""
    for probe in probes:
        note(probe)
        yield probe, asked(probe, sandbox)


def asked(probe: Probe, sandbox: Sandbox) -> Answer:
    """A probe's answer; what it did not expect leaves the question open."""
    try:
        for stage in probe.all_stages():
            sandbox.uses(stage)
        answer = probe.ask(sandbox)
    except ClientError as error:
        answer = inconclusive(f"{error.operation_name}: {told(error)}")
    except (BotoCoreError, VerificationError, LookupError, TypeError, ValueError) as error:
        # What a service answers may have another shape than its documentation.
        answer = inconclusive(f"{type(error).__name__}: {error}")
    return Answer(answer.verdict, sanitised(answer.seen))
