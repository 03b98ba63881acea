"""DuckDB in the place of Athena's engine: each query on a thread and a connection of its own, and interruptible."""

import asyncio
import contextlib
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from typing import Any, TypeVar

from local.gateway import service

_LOOK_SECONDS = 0.1
_Result = TypeVar("_Result")
Results = dict[str, Any]
"""`columns`, `column_types` as Athena calls them, and `rows`."""


async def compute(work: Callable[[Any], _Result], stopped: Callable[[], bool]) -> _Result:
    """What work makes with a connection.

    Args:
        work: called on a thread, where DuckDB is imported too.
        stopped: whether nobody wants the result any more; work is interrupted then, and when this is cancelled.

    Raises: what work raises, DuckDB's errors among it.
    """
    connections: list[Any] = []
    run = partial(copy_context().run, _with_connection, work, connections)
    computing = asyncio.get_running_loop().run_in_executor(None, run)
    try:
        while not (computing.done() or stopped()):
            await asyncio.wait({computing}, timeout=_LOOK_SECONDS)
    finally:
        # Again and again: a query that has not begun yet does not notice.
        while not computing.done():
            _interrupt(connections)
            await asyncio.wait({computing}, timeout=_LOOK_SECONDS)
        # Known, whether anybody asks for it or not.
        computing.exception()
    return computing.result()


def _with_connection(work: Callable[[Any], _Result], connections: list[Any]) -> _Result:
    import duckdb

    with duckdb.connect() as connection:
        # As the stand-in does: it would make conversions that yield null fail.
        with contextlib.suppress(duckdb.Error):
            connection.execute("SET disabled_optimizers = 'type_pushdown'")
        connections.append(connection)
        return work(connection)


def _interrupt(connections: list[Any]) -> None:
    import duckdb

    for connection in connections:
        with contextlib.suppress(duckdb.ConnectionException):  # closed meanwhile
            connection.interrupt()


def select(connection: Any, query: str) -> Results:
    result = connection.execute(query)
    described = result.description or []
    known = service("athena")._DUCKDB_TYPE_MAP
    return {
        "columns": [column[0] for column in described],
        "column_types": [known.get(str(column[1]).partition("(")[0], "varchar") for column in described],
        "rows": [list(row) for row in result.fetchall()],
    }
