"""Reads the record of a retraining, and the records of those before it."""

import time
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from cli import machine, rollout_record, tables
from cli.errors import CommandError
from cli.target import Target

if TYPE_CHECKING:
    from fraud.retraining import Retraining

TABLE = "RolloutTableName"
MACHINE = "RetrainingMachineArn"
NONE_YET = "There was no retraining yet. Start one: fraud retraining start"
MOST_LOOKS = 4 * 86_400


def current(target: Target) -> "Retraining | None":
    """The record of the run under way, or of the last one. Raises: CommandError."""
    item = tables.get(target, TABLE, {"pk": "retraining", "sk": "current"})
    return None if item is None else decoded(item["document"])


def history(target: Target, most: int) -> "list[Retraining]":
    """Records of runs that are over, newest first."""
    found = rollout_record.newest(target, "retrainings", most)
    return [decoded(document) for document in found]


def decoded(document: str) -> "Retraining":
    """A record from its JSON. Raises: CommandError when other code wrote it."""
    import msgspec

    from fraud.retraining import Retraining

    try:
        return msgspec.json.decode(document, type=Retraining)
    except msgspec.DecodeError as error:
        raise CommandError(
            f"Another release of this project wrote the retraining's record ({error}): use the command of that release."
        ) from error


def looks(target: Target, run_id: str, execution: str, every: float) -> "Iterator[Retraining | None]":
    """The record at one look after the other, until the run or its execution is over; None while there is none.

    Raises:
        CommandError: it is still not over.
    """
    for _ in range(MOST_LOOKS):
        # In this order: what ends between the two looks has its record written by then.
        standing = machine.look(target, execution)
        record = rollout_record.patiently(partial(current, target), every)
        mine = record if record is not None and record.run_id == run_id else None
        yield mine
        if standing.status != "RUNNING" or (mine is not None and mine.is_over):
            return
        time.sleep(every)
    raise CommandError(f"Retraining {run_id} is still not over; watch it again with `fraud retraining watch`.")


def document(record: "Retraining") -> dict[str, Any]:
    """For programs."""
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(record)
    return plain
