"""Cutting a batch into transactions of at most 100 write actions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from fraud.ports import CardCommit

MOST_ACTIONS = 100
"""DynamoDB's limit for TransactWriteItems."""


def pack(commits: Iterable[CardCommit]) -> Iterator[list[CardCommit]]:
    """Whole card commits, in order, in as few transactions as first-come filling gives.

    Two commits of one card never share a transaction: an item may be written once in each.
    """
    pack: list[CardCommit] = []
    for commit in commits:
        full = sum(each.actions for each in pack) + commit.actions > MOST_ACTIONS
        if full or any(each.key == commit.key for each in pack):
            yield pack
            pack = []
        pack.append(commit)
    if pack:
        yield pack


def cut(rows: int) -> Iterator[slice]:
    """Slices of a card's rows that each fit a transaction with the card's own state."""
    step = MOST_ACTIONS - 1
    return (slice(start, start + step) for start in range(0, rows, step))


def in_order(ids: Sequence[str], failed: Iterable[str]) -> list[str]:
    """The failed ids in the order of the batch: lowest sequence number first."""
    wanted = set(failed)
    return [each for each in ids if each in wanted]
