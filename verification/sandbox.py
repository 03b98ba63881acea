"""Where probes work: names of their own, a ledger before every creation, bounded waits, stages made once."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from fraud.aws.control_plane import ABSENT, code
from verification.account import Aws, told
from verification.errors import StageFailed, TookTooLong, VerificationError
from verification.kinds import KINDS
from verification.ledger import Entry, Ledger
from verification.probe import Stage

PREFIX = "fraud-verify-"
TAG = "fraud-verify"
POLL = 10.0
"""Seconds between two looks."""
NEW = 6
"""Attempts at a call that refers to what was just created, such as a role."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Refusal:
    """An error that a probe provoked: AWS's code, its HTTP status, and all it said."""

    code: str
    status: int
    text: str


@dataclass(frozen=True)
class Sandbox:
    """A run's part of an account.

    Args:
        aws: clients.
        account: its id.
        ledger: of what is created.
        sleep: waits so many seconds.
        clock: seconds since 1970.
        run: part of every name.
        note: told what is being waited for.
    """

    aws: Aws
    account: str
    ledger: Ledger
    sleep: Callable[[float], None]
    clock: Callable[[], float]
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    note: Callable[[str], None] = lambda _: None
    _stages: dict[Stage, Any] = field(default_factory=dict)

    @property
    def tags(self) -> list[dict[str, str]]:
        return [{"Key": TAG, "Value": self.run}]

    def client(self, service: str) -> Any:
        return self.aws.client(service)

    def name(self, what: str) -> str:
        """Of something of this run's; 40 characters at most for the longest `what` there is."""
        return f"{PREFIX}{self.run}-{what}"

    def arn(self, service: str, resource: str, *, region: bool = True) -> str:
        return f"arn:aws:{service}:{self.aws.region if region else ''}:{self.account}:{resource}"

    def uses(self, stage: Stage) -> Any:
        """What a stage makes, made by the first who uses it.

        Raises:
            StageFailed: it could not be made, now or before.
        """
        if stage not in self._stages:
            self.note(stage.name)
            try:
                self._stages[stage] = stage.make(self)
            except ClientError as error:
                self._stages[stage] = StageFailed(f"{stage.name}: {told(error)}")
            except (BotoCoreError, VerificationError) as error:
                self._stages[stage] = StageFailed(f"{stage.name}: {error}")
        made = self._stages[stage]
        if isinstance(made, StageFailed):
            raise made
        return made

    def spoil(self, stage: Stage, why: str) -> None:
        """A probe destroyed what a stage made."""
        self._stages[stage] = StageFailed(f"{stage.name}: {why}")

    def make(self, kind: str, name: str, create: Callable[[], T]) -> T:
        """Create something: into the ledger first, then into the account."""
        assert kind in KINDS
        self.ledger.creating(Entry(kind, name, self.account, self.aws.region))
        return create()

    def make_with_new(self, kind: str, name: str, create: Callable[[], T]) -> T:
        """The same of something that refers to what was just created, which AWS may not have heard of everywhere."""
        self.ledger.creating(Entry(kind, name, self.account, self.aws.region))
        for _ in range(NEW - 1):
            try:
                return create()
            except ClientError as error:
                if code(error) not in ABSENT | {"InvalidParameterValueException", "AccessDeniedException"}:
                    raise
                self.sleep(POLL)
        return create()

    def ledger_logs(self, group: str) -> None:
        """Logs that a service opens by itself: a group, or `group|job` for a job's streams in a group of many."""
        self.ledger.creating(
            Entry("log_streams" if "|" in group else "log_group", group, self.account, self.aws.region)
        )

    def refused(self, call: Callable[[], object]) -> Refusal | None:
        """What a call is refused with; None if it is not."""
        try:
            call()
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return Refusal(code(error), int(status), told(error))
        return None

    def until(self, what: str, look: Callable[[], T | None], minutes: float, *, every: float = POLL) -> T:
        """What a look finds, once it finds something.

        Raises:
            TookTooLong: nothing in so many minutes.
        """
        self.note(what)
        for _ in range(max(1, int(minutes * 60 / every))):
            found = look()
            if found is not None:
                return found
            self.sleep(every)
        raise TookTooLong(f"{what}: nothing in {minutes:g} minutes")
