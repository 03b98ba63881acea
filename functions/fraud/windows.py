"""Mergeable tiles: bounded state from which sliding windows are read.

An entity (a card, a terminal) keeps one series of tiles per level. A tile holds sums of integers over a fixed
stretch of event time, so that folding is exact, commutative and as cheap at 10⁵ events a day as at one. Every level
is folded on its own, and a window always reads the same level: what is read does not depend on when old tiles expire.
The method is the tiled aggregation of Chronon (github.com/airbnb/chronon, "tiled architecture").

Times are whole seconds since 1970 (UTC), event time. Expiry follows the entity's own watermark, never the wall clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import sub

Tile = tuple[int, ...]
Series = Mapping[int, Tile]
"""Tile index (event time // level width) → sums."""

LARGEST_SUM = 2**63 - 1
"""Sums saturate here, the range of a 64-bit integer, so that the same fold works in any column store."""


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution of an entity's history.

    Args:
        width: seconds a tile covers.
        keep: how many tiles are kept, counted back from the watermark's own.
    """

    width: int
    keep: int


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of whole tiles that ends with the tile of the reading time, or `lag` tiles before it.

    Args:
        level: position of the level in the entity's shape.
        tiles: how many tiles are summed.
        lag: 1 leaves out the tile that is still open, for state that is written asynchronously.
    """

    level: int
    tiles: int
    lag: int = 0


@dataclass(frozen=True, slots=True)
class Shape:
    """What a kind of entity keeps: its levels and the names of the sums in every tile."""

    levels: tuple[Level, ...]
    sums: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EntityState:
    """The history of one entity.

    Args:
        series: one per level of the shape.
        first_at: earliest event folded, None before the first.
        watermark: latest event folded, None before the first.
    """

    series: tuple[Series, ...]
    first_at: int | None = None
    watermark: int | None = None


def empty(shape: Shape) -> EntityState:
    """The state of an entity that was never seen."""
    return EntityState(series=tuple({} for _ in shape.levels))


def add(state: EntityState, shape: Shape, at: int, sums: Tile) -> EntityState:
    """Fold one event in, into its own tile on every level where that tile is still kept.

    An event older than what a level keeps leaves that level as it is. Negative sums take back what was added before; of
    what has expired since there is nothing to take back, so no sum falls below zero.
    """
    watermark = at if state.watermark is None else max(state.watermark, at)
    first_at = at if state.first_at is None else min(state.first_at, at)
    series = tuple(
        _add_to_series(tiles, level, at, sums, watermark)
        for tiles, level in zip(state.series, shape.levels, strict=True)
    )
    return EntityState(series, first_at, watermark)


def _add_to_series(tiles: Series, level: Level, at: int, sums: Tile, watermark: int) -> Series:
    oldest = watermark // level.width - level.keep + 1
    kept = {index: tile for index, tile in tiles.items() if index >= oldest}
    index = at // level.width
    if index >= oldest:
        kept[index] = tuple(map(_bounded_add, kept.get(index, (0,) * len(sums)), sums))
    return kept


def _bounded_add(left: int, right: int) -> int:
    return max(0, min(left + right, LARGEST_SUM))


class Reading:
    """All the windows that are read of one kind of entity at once, in one pass over the tiles of each level.

    The ends of the windows cut a level into segments, whose running totals are summed; a window is a difference of two.

    Args:
        shape: what the entity keeps.
        windows: what to read.
    """

    def __init__(self, shape: Shape, windows: Sequence[Window]) -> None:
        self._levels = tuple(_Segments.cut(shape, level, windows) for level in range(len(shape.levels)))
        self._nothing = (0,) * len(shape.sums)
        self._size = len(windows)

    def sums(self, state: EntityState, at: int) -> list[Tile]:
        """Sums over each window as seen at `at`; zeros where nothing was folded.

        Tiles later than a window are left out, so a late event never reads its own future.
        """
        found = [self._nothing] * self._size
        for tiles, segments in zip(state.series, self._levels, strict=True):
            if tiles:
                before = segments.totals(tiles, at, self._nothing)
                for position, first, end in segments.windows:
                    skipped = before[first]
                    found[position] = tuple(map(sub, before[end], skipped)) if any(skipped) else before[end]
        return found


@dataclass(frozen=True, slots=True)
class _Segments:
    """One level, cut where windows begin and end.

    Args:
        width: seconds a tile covers.
        of_age: segment of a tile, by how many tiles back it lies.
        segments: how many there are.
        windows: position of the window, its first segment, and the one after its last.
    """

    width: int
    of_age: tuple[int, ...]
    segments: int
    windows: tuple[tuple[int, int, int], ...]

    @classmethod
    def cut(cls, shape: Shape, level: int, windows: Sequence[Window]) -> _Segments:
        mine = [(position, each) for position, each in enumerate(windows) if each.level == level]
        ends = sorted({0} | {each.lag for _, each in mine} | {each.lag + each.tiles for _, each in mine})
        of_age = tuple(bisect_right(ends, age) - 1 for age in range(ends[-1]))
        return cls(
            shape.levels[level].width,
            of_age,
            len(ends) - 1,
            tuple((position, ends.index(w.lag), ends.index(w.lag + w.tiles)) for position, w in mine),
        )

    def totals(self, tiles: Series, at: int, nothing: Tile) -> list[Tile]:
        """What all segments before each one, from the newest on, add up to; one longer than the segments."""
        newest, depth = at // self.width, len(self.of_age)
        parts: list[list[Tile]] = [[] for _ in range(self.segments)]
        for index, tile in tiles.items():
            age = newest - index
            if 0 <= age < depth:
                parts[self.of_age[age]].append(tile)
        before = [nothing]
        for each in parts:
            before.append(tuple(map(sum, zip(before[-1], *each, strict=True))) if each else before[-1])
        return before
