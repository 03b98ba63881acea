"""UNLOAD: what a SELECT gives, written as Parquet to an empty address."""

import tempfile
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from local.gateway import Gateway, service
from local.objects import put_object

_COMPRESSIONS = {"SNAPPY", "GZIP", "ZSTD"}


@dataclass(frozen=True, slots=True)
class Unload:
    """A statement, taken apart."""

    select: str
    bucket: str
    prefix: str
    """Ends with a slash."""
    compression: str


def is_unload(statement: str) -> bool:
    return bool(service("athena")._Cursor(statement).keywords("unload"))


def parse(statement: str) -> Unload:
    """Raises: ValueError if the statement is none that can be carried out here."""
    cursor = service("athena")._Cursor(statement)
    cursor.keywords("unload")
    start = cursor.peek()[3]
    if not cursor.punct("("):
        raise ValueError("SYNTAX_ERROR: UNLOAD takes a SELECT in parentheses")
    cursor.skip_group()
    end = cursor.tokens[cursor.i - 1][2]
    address = urlparse(cursor.string() or "" if cursor.keywords("to") else "")
    if address.scheme != "s3" or not address.netloc:
        raise ValueError("SYNTAX_ERROR: UNLOAD takes an address, TO 's3://bucket/prefix/'")
    options = _options(cursor)
    return Unload(statement[start:end], address.netloc, _folder(address.path), _compression(options))


def _folder(path: str) -> str:
    inner = path.strip("/")
    return f"{inner}/" if inner else ""


def _options(cursor: Any) -> dict[str, str]:
    options = {}
    if not cursor.keywords("with") or not cursor.punct("("):
        raise ValueError("SYNTAX_ERROR: UNLOAD takes options, WITH (format = 'PARQUET')")
    while not cursor.punct(")"):
        name = cursor.identifier()
        value = cursor.string() if name and cursor.punct("=") else None
        if name is None or value is None:
            raise ValueError("NOT_SUPPORTED: the laptop's UNLOAD takes options of the form name = 'text' only")
        options[name.lower()] = value
        cursor.punct(",")
    return options


def _compression(options: dict[str, str]) -> str:
    kind = options.pop("format", "").upper()
    if kind != "PARQUET":
        raise ValueError(f"NOT_SUPPORTED: the laptop's UNLOAD writes PARQUET only, not {kind or 'the default format'}")
    # Athena's default.
    compression = options.pop("compression", "GZIP").upper()
    if compression not in _COMPRESSIONS or options:
        raise ValueError(f"NOT_SUPPORTED: the laptop's UNLOAD knows no {sorted(options) or compression}")
    return compression


def require_empty(unload: Unload) -> None:
    """Raises: ValueError if something lies below the address already."""
    bucket = service("s3")._buckets.get(unload.bucket)
    if bucket is None:
        raise ValueError(f"The specified bucket does not exist: {unload.bucket}")
    if any(key.startswith(unload.prefix) for key in list(bucket["objects"])):
        address = f"s3://{unload.bucket}/{unload.prefix}"
        raise ValueError(f"HIVE_PATH_ALREADY_EXISTS: Target directory for table already exists: {address}")


def write(gateway: Gateway, unload: Unload, connection: Any, select: str) -> list[str]:
    """Addresses of the objects written; none if there are no rows.

    Args:
        gateway: where they are written.
        unload: where to and how.
        connection: of DuckDB.
        select: that of the statement, with relations of DuckDB in the place of tables.
    """
    with tempfile.TemporaryDirectory(prefix="athena-") as directory:
        file = Path(directory) / "rows"
        copy = f"COPY (\n{select}\n) TO '{file}' (FORMAT PARQUET, COMPRESSION {unload.compression})"
        (rows,) = connection.execute(copy).fetchone()
        return [_upload(gateway, unload, file)] if rows else []


def _upload(gateway: Gateway, unload: Unload, file: Path) -> str:
    # As Athena names them: without an ending, by which nobody may recognise them.
    key = f"{unload.prefix}{datetime.now(UTC):%Y%m%d_%H%M%S}_00000_{uuid.uuid4()}"
    put_object(gateway, unload.bucket, key, file.read_bytes())
    return f"s3://{unload.bucket}/{key}"
