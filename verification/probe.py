"""What a probe is: a question, what the project assumes, and how an account answers it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verification.sandbox import Sandbox


class Verdict(StrEnum):
    """What an account said of an assumption; NOT_RUN until one was asked."""

    CONFIRMED = "confirmed"
    DIFFERS = "differs"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Answer:
    """A verdict, and what was seen, in AWS's words where it said something."""

    verdict: Verdict
    seen: str


def confirmed(seen: str) -> Answer:
    return Answer(Verdict.CONFIRMED, seen)


def differs(seen: str) -> Answer:
    return Answer(Verdict.DIFFERS, seen)


def inconclusive(why: str) -> Answer:
    return Answer(Verdict.INCONCLUSIVE, why)


def judged(holds: bool, seen: str) -> Answer:
    """Confirmed or not, where there is no third possibility."""
    return confirmed(seen) if holds else differs(seen)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the project relies on the assumption: a file, and a text that stands in it."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Term:
    """Part of a price.

    Args:
        price: name in docs/prices.json.
        units: how many of its units.
        hourly: whether so many are used in every hour until the clean-up; else once.
    """

    price: str
    units: float
    hourly: bool = False


@dataclass(frozen=True, eq=False)
class Stage:
    """Something that several probes need; it is made for the first, and stands until the clean-up.

    Args:
        name: for people.
        make: makes it; returns what probes need of it.
        calls: of AWS, as `service.operation`.
        minutes: longest time that making it may take.
        terms: its price.
        needs: other stages.
    """

    name: str
    make: Callable[[Sandbox], Any]
    calls: tuple[str, ...]
    minutes: int = 1
    terms: tuple[Term, ...] = ()
    needs: tuple[Stage, ...] = ()

    def all(self) -> Iterator[Stage]:
        """Those that it needs, then itself."""
        for each in self.needs:
            yield from each.all()
        yield self


@dataclass(frozen=True)
class Probe:
    """A question to an account.

    Args:
        key: short name, a letter where the list of contracts has one.
        question: in a sentence.
        assumption: what the project takes to be so.
        places: where it does.
        ask: asks; AWS's errors that it does not expect make the answer inconclusive.
        calls: of AWS, as `service.operation`, beside those of its stages.
        minutes: longest time that asking may take.
        terms: its price, beside that of its stages.
        stages: what must stand before.
    """

    key: str
    question: str
    assumption: str
    places: tuple[Place, ...]
    ask: Callable[[Sandbox], Answer]
    calls: tuple[str, ...]
    minutes: int
    terms: tuple[Term, ...] = ()
    stages: tuple[Stage, ...] = field(default=())

    def all_stages(self) -> list[Stage]:
        """In the order of making, each once."""
        return list(dict.fromkeys(stage for each in self.stages for stage in each.all()))
