"""Entity state as a DynamoDB item: tiles packed with MessagePack, some ten bytes each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from fraud import windows
from fraud.aws import dynamodb
from fraud.aws.dynamodb import Item
from fraud.entities import CARD, DAY, TERMINAL
from fraud.errors import UnknownStateVersion
from fraud.ports import StoredState
from fraud.windows import EntityState, Level, Shape

STATE_VERSION = 2
"""Raise it with the levels or the sums of a shape: a state of another version is refused, never misread."""
_SHAPES = {"card": CARD, "terminal": TERMINAL}


class _Packed(msgspec.Struct, array_like=True):
    """What the binary attribute holds: per level a flat list of (tiles back from the watermark's, sums …)."""

    state_version: int
    first_at: int
    watermark: int
    series: list[list[int]]


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Packed).decode


def shape_of(key: str) -> Shape:
    """The shape that a key's prefix names."""
    return _SHAPES[key.split("#", 1)[0]]


def encode(key: str, state: EntityState, version: int, expires_at: int) -> Item:
    """The item of one entity; `expires_at` in seconds since 1970."""
    return {
        "entity": {"S": key},
        "state": {"B": pack_state(state, shape_of(key))},
        "version": {"N": str(version)},
        "expires_at": {"N": str(expires_at)},
    }


def decode(item: Item, now: float) -> StoredState:
    """The state in an item; an expired one counts as never seen, but its version must still be met."""
    shape = shape_of(item["entity"]["S"])
    version = int(item["version"]["N"])
    if dynamodb.is_expired(item, now):
        return StoredState(windows.empty(shape), version)
    return StoredState(unpack_state(item["state"]["B"], shape), version)


def decode_all(items: Iterable[Item], now: float) -> dict[str, StoredState]:
    """States by key."""
    return {item["entity"]["S"]: decode(item, now) for item in items}


def keys(entity_keys: Iterable[str]) -> list[Item]:
    """Keys in DynamoDB's notation, in a stable order."""
    return [{"entity": {"S": key}} for key in sorted(entity_keys)]


def expiry(now: float, days: int) -> int:
    """Time to live from now, seconds since 1970."""
    return int(now) + days * DAY


def pack_state(state: EntityState, shape: Shape) -> bytes:
    """The binary form; a state without events cannot be packed and is never written."""
    assert state.watermark is not None and state.first_at is not None
    watermark = state.watermark
    series = [
        [number for index, tile in sorted(tiles.items()) for number in (watermark // level.width - index, *tile)]
        for tiles, level in zip(state.series, shape.levels, strict=True)
    ]
    return _pack(_Packed(STATE_VERSION, state.first_at, watermark, series))


def unpack_state(data: bytes, shape: Shape) -> EntityState:
    """The state of a binary form.

    Raises:
        UnknownStateVersion: other code wrote it, with other levels or sums.
    """
    packed = _unpack(data)
    if packed.state_version != STATE_VERSION:
        raise UnknownStateVersion(packed.state_version, STATE_VERSION)
    step = len(shape.sums) + 1
    series = tuple(
        dict(_tiles(flat, level, packed.watermark, step))
        for flat, level in zip(packed.series, shape.levels, strict=True)
    )
    return EntityState(series, packed.first_at, packed.watermark)


def _tiles(flat: list[int], level: Level, watermark: int, step: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    newest = watermark // level.width
    for start in range(0, len(flat), step):
        yield newest - flat[start], tuple(flat[start + 1 : start + step])


def put(table: str, key: str, state: EntityState, expected_version: int, expires_at: int) -> Item:
    """The write action that replaces an entity read at `expected_version`."""
    item = encode(key, state, expected_version + 1, expires_at)
    return {"Put": {"TableName": table, "Item": item} | unmoved(expected_version)}


def unmoved(version: int) -> Item:
    """The condition that nobody wrote the entity since it was read at this version (0: there was no item)."""
    if version == 0:
        return {"ConditionExpression": "attribute_not_exists(entity)"}
    return {
        "ConditionExpression": "version = :read",
        "ExpressionAttributeValues": {":read": {"N": str(version)}},
    }
