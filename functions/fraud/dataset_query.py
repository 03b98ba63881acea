"""The queries that make data sets of the archive: their text with everything filled in.

`model/sql/` holds each SELECT, in words that Athena and DuckDB understand alike. Everything filled in is
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


def window(template: str, since: float, features_since: float, until: float) -> str:
    """The SELECT of what arrived in a time.

    Args:
        template: text with `$from`, `$features_from`, `$as_of`, `$first_day` and `$last_day`.
        since: what arrived later is read, seconds since 1970.
        features_since: of what arrived later than this, features are read as well.
        until: decisions and verdicts up to here are read.
    """
    return Template(template).substitute(
        {
            "from": rfc3339(since),
            "features_from": rfc3339(features_since),
            "as_of": rfc3339(until),
            # Partitions are days of archiving, which may be the day after the arrival's.
            "first_day": _day(since),
            "last_day": _day(until + DAY),
        }
    )


def unload(statement: str, address: str) -> str:
    """A statement that writes what a SELECT gives to an empty address, as Parquet."""
    quoted = address.replace("'", "''")
    return f"UNLOAD (\n{statement.strip()}\n) TO '{quoted}' WITH (format = 'PARQUET', compression = 'SNAPPY')"


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()
