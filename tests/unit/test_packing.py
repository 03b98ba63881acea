"""Transactions of at most a hundred actions, whole entities, in order."""

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from fraud import packing

Commit = tuple[str, int]


def pack(commits: list[Commit]) -> list[list[Commit]]:
    return list(packing.pack(commits, key=lambda commit: commit[0], actions=lambda commit: commit[1]))


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(1, 100)), max_size=60))
def test_pack_any_commits_keep_order_size_and_distinct_keys(commits: list[Commit]) -> None:
    packs = pack(commits)
    assert list(chain.from_iterable(packs)) == commits
    for each in packs:
        assert sum(actions for _, actions in each) <= 100
        assert len({key for key, _ in each}) == len(each)


@given(st.lists(st.integers(1, 100), max_size=60))
def test_pack_neighbours_never_fit_into_one(sizes: list[int]) -> None:
    packs = pack([(str(number), size) for number, size in enumerate(sizes)])
    totals = [sum(actions for _, actions in each) for each in packs]
    assert all(total + after[0][1] > 100 for total, after in zip(totals, packs[1:], strict=False))


def test_pack_nothing_is_nothing() -> None:
    assert pack([]) == []


def test_pack_two_commits_of_one_key_are_apart() -> None:
    assert pack([("a", 2), ("b", 2), ("a", 2)]) == [[("a", 2), ("b", 2)], [("a", 2)]]


@given(st.integers(0, 500), st.integers(1, 99))
def test_cut_any_number_of_rows_is_covered_once_in_order(rows: int, most: int) -> None:
    numbers = list(range(rows))
    parts = [numbers[part] for part in packing.cut(rows, most)]
    assert list(chain.from_iterable(parts)) == numbers
    assert all(1 <= len(part) <= most for part in parts)


def test_in_order_failed_ids_follow_the_batch() -> None:
    assert packing.in_order(["3", "1", "2"], ["2", "3", "2"]) == ["3", "2"]
