"""Mergeable tiles: bounded state from which sliding windows are read.

An entity (a card, a terminal) keeps one series of tiles per level. A tile holds sums of integers over a fixed
stretch of event time, so that folding is exact, commutative and as cheap at 10⁵ events a day as at one. Every level
is folded on its own, and a window always reads the same level: what is read does not depend on when old tiles expire.
The method is the tiled aggregation of Chronon (github.com/airbnb/chronon, "tiled architecture").

Times are whole seconds since 1970 (UTC), event time. Expiry follows the entity's own watermark, never the wall clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

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

    An event older than what a level keeps leaves that level as it is. Negative sums take back what was added before.
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
        before = kept.get(index)
        kept[index] = sums if before is None else tuple(map(_saturating_add, before, sums))
    return kept


def _saturating_add(left: int, right: int) -> int:
    return min(left + right, LARGEST_SUM)


def read(state: EntityState, shape: Shape, at: int, window: Window) -> Tile:
    """Sums over the window as seen at `at`; zeros where nothing was folded.

    Tiles later than the window are left out, so a late event never reads its own future.
    """
    newest = at // shape.levels[window.level].width - window.lag
    oldest = newest - window.tiles + 1
    total = (0,) * len(shape.sums)
    for index, tile in state.series[window.level].items():
        if oldest <= index <= newest:
            total = tuple(map(_saturating_add, total, tile))
    return total
