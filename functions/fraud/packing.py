"""Cutting a batch into transactions of at most 100 write actions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

MOST_ACTIONS = 100
"""DynamoDB's limit for TransactWriteItems."""

Commit = TypeVar("Commit")


def pack(
    commits: Iterable[Commit], *, key: Callable[[Commit], str], actions: Callable[[Commit], int]
) -> Iterator[list[Commit]]:
    """Whole commits, in order, in as few transactions as first-come filling gives.

    Two commits of one key never share a transaction: an item may be written once in each.

    Args:
        commits: each of at most 100 actions.
        key: the entity a commit writes.
        actions: how many write actions it takes at most.
    """
    filling: list[Commit] = []
    taken: set[str] = set()
    room = MOST_ACTIONS
    for commit in commits:
        if filling and (actions(commit) > room or key(commit) in taken):
            yield filling
            filling, taken, room = [], set(), MOST_ACTIONS
        filling.append(commit)
        taken.add(key(commit))
        room -= actions(commit)
    if filling:
        yield filling


def cut(rows: int, most: int) -> Iterator[slice]:
    """Slices of at most so many rows."""
    return (slice(start, start + most) for start in range(0, rows, most))


def in_order(ids: Sequence[str], failed: Iterable[str]) -> list[str]:
    """The failed ids in the order of the batch: lowest sequence number first."""
    wanted = set(failed)
    return [each for each in ids if each in wanted]
