"""Removes what runs created, whatever became of them, and sees that it is gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from botocore.exceptions import BotoCoreError, ClientError

from verification.account import Aws, told
from verification.kinds import KINDS
from verification.ledger import Entry, Ledger

PASSES = 60
PAUSE = 30.0
"""Seconds between passes: half an hour, which the removal of an endpoint that is still coming up may take."""

Note = Callable[[str], None]


def clean_up(
    aws: Aws, ledger: Ledger, account: str, sleep: Callable[[float], None], note: Note = lambda _: None
) -> list[Entry]:
    """Remove all of the ledger's that is in this account and region; what is left when its time is over."""
    missed: set[Entry] = set()
    for attempt in range(PASSES):
        if attempt:
            sleep(PAUSE)
        remove_once(aws, ledger, _here(ledger, account, aws.region), note, missed)
        left = _here(ledger, account, aws.region)
        if not left:
            return []
    return left


def elsewhere(ledger: Ledger, account: str, region: str) -> list[Entry]:
    """What other accounts or regions may still hold."""
    return [each for each in ledger.standing() if (each.account, each.region) != (account, region)]


def remove_once(aws: Aws, ledger: Ledger, entries: Sequence[Entry], note: Note, missed: set[Entry]) -> None:
    """One attempt at each, the youngest first; what others need is kept until they are gone.

    `missed` holds what no look has found so far.
    """
    is_needed = False
    for entry in _in_order(entries):
        if is_needed and KINDS[entry.kind].is_base:
            return
        if _is_gone(aws, entry, note, missed):
            ledger.removed(entry)
        else:
            is_needed = True


def _in_order(entries: Sequence[Entry]) -> list[Entry]:
    youngest_first = entries[::-1]
    return sorted(youngest_first, key=lambda each: KINDS[each.kind].is_base)


def _is_gone(aws: Aws, entry: Entry, note: Note, missed: set[Entry]) -> bool:
    """Ask for its removal, and whether it stands; errors are for the next pass."""
    kind = KINDS[entry.kind]
    note(f"{entry.kind} {entry.name}")
    try:
        if not kind.stands(aws, entry.name):
            return _is_missed_again(entry, missed)
        missed.discard(entry)
        kind.remove(aws, entry.name)
    except ClientError as error:
        note(told(error))
        return False
    except BotoCoreError as error:
        note(str(error))
        return False
    return not _stands(kind.stands, aws, entry.name)


def _is_missed_again(entry: Entry, missed: set[Entry]) -> bool:
    """Whether what is not found was not there before either, for kinds where once may mean not yet."""
    is_sure = entry in missed or not KINDS[entry.kind].is_listed
    missed.add(entry)
    return is_sure


def _stands(stands: Callable[[Aws, str], bool], aws: Aws, name: str) -> bool:
    try:
        return stands(aws, name)
    except (BotoCoreError, ClientError):
        return True


def _here(ledger: Ledger, account: str, region: str) -> list[Entry]:
    return [each for each in ledger.standing() if (each.account, each.region) == (account, region)]
