"""Reads the two records of monitoring: the refresh of baseline and schedules, and the last look at a window."""

from typing import TYPE_CHECKING, Any, TypeVar

from cli import tables
from cli.errors import CommandError
from cli.target import Target

if TYPE_CHECKING:
    from fraud.monitoring import Refresh, Watch

TABLE = "RolloutTableName"
Record = TypeVar("Record")


def refresh(target: Target) -> "Refresh | None":
    """The refresh under way, or the last one. Raises: CommandError when other code wrote it."""
    from fraud.monitoring import Refresh

    return _read(target, "refresh", Refresh)


def watch(target: Target) -> "Watch | None":
    """What the last look came to. Raises: CommandError when other code wrote it."""
    from fraud.monitoring import Watch

    return _read(target, "watch", Watch)


def _read(target: Target, key: str, kind: type[Record]) -> Record | None:
    import msgspec

    item = tables.get(target, TABLE, {"pk": "monitoring", "sk": key})
    if item is None:
        return None
    try:
        return msgspec.json.decode(item["document"], type=kind)
    except msgspec.DecodeError as error:
        raise CommandError(
            f"Another release of this project wrote monitoring's record ({error}): use the command of that release."
        ) from error


def document(record: "Refresh | Watch | None") -> dict[str, Any] | None:
    """For programs."""
    import msgspec

    plain: dict[str, Any] | None = msgspec.to_builtins(record)
    return plain
