"""The query that makes a data set of the archive: its text with everything filled in.

`model/sql/training_set.sql` holds the SELECT, in words that Athena and DuckDB understand alike. Everything filled in is
a moment or an address of this application's own making.
"""

from __future__ import annotations

from datetime import UTC, datetime
from string import Template

from fraud.retraining_plan import DAY
from fraud.transaction import rfc3339


def select(template: str, as_of: float, days: int) -> str:
    """The SELECT alone.

    Args:
        template: text with `$from`, `$as_of`, `$first_day` and `$last_day`.
        as_of: decisions and verdicts up to here are read, seconds since 1970.
        days: of event time before that.
    """
    since = as_of - days * DAY
    return Template(template).substitute(
        {
            "from": rfc3339(since),
            "as_of": rfc3339(as_of),
            # Partitions are days of arrival; a transaction may arrive a day before its own time says, and long after.
            "first_day": _day(since - DAY),
            "last_day": _day(as_of + DAY),
        }
    )


def unload(statement: str, address: str) -> str:
    """A statement that writes what a SELECT gives to an empty address, as Parquet."""
    quoted = address.replace("'", "''")
    return f"UNLOAD (\n{statement.strip()}\n) TO '{quoted}' WITH (format = 'PARQUET', compression = 'SNAPPY')"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
