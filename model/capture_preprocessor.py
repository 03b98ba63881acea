"""Record preprocessor of SageMaker Model Monitor: takes a captured request of many rows apart into one record for each.

Model Monitor loads this file alone and calls `preprocess_handler` for every captured record. A request holds CSV rows
in the order of the champion's feature contract; a record has the features by name, as statistics and constraints of
the baseline have them. The job that makes the baseline writes the names into the copy of this file that lies beside
them; without, `FEATURE_NAMES` of the environment has them, and without that columns are numbered in their order.

Runs alone in the container, whose Python may be old: imports nothing of this project.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from decimal import Decimal, InvalidOperation
from typing import Any

NAMES: tuple[str, ...] = ()
"""Features in the order of the contract."""


def preprocess_handler(inference_record: Any) -> list[dict[str, str]]:
    """The rows of a captured request; none of one that cannot be read, or that was not answered row by row.

    Args:
        inference_record: as Model Monitor hands it over: `endpoint_input` and `endpoint_output`, each with `data` and
            `encoding`.
    """
    rows = _rows(_text(inference_record.endpoint_input))
    names = _names(len(rows[0])) if rows else ()
    if any(len(row) != len(names) for row in rows) or not _is_answered(inference_record, len(rows)):
        return []
    try:
        records = [{name: _plain(cell) for name, cell in zip(names, row) if cell} for row in rows]  # noqa: B905
    except InvalidOperation:
        return []
    # A row without any value is a probe of the application's: a transaction has an amount at least.
    return [record for record in records if record]


def _text(part: Any) -> str:
    """What was sent, as text; empty if it cannot be decoded."""
    data = getattr(part, "data", None) or ""
    try:
        if getattr(part, "encoding", "") == "BASE64":
            data = base64.b64decode(data, validate=True)
        return data.decode("utf-8") if isinstance(data, bytes) else data
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _rows(text: str) -> list[list[str]]:
    """Cells of every row; an empty one is a missing value."""
    lines = text.rstrip("\r\n").splitlines()
    return [[cell.strip() for cell in line.split(",")] for line in lines]


def _names(width: int) -> tuple[str, ...]:
    given = NAMES or tuple(name for name in os.environ.get("FEATURE_NAMES", "").split(",") if name)
    # Numbers of one length: as text they keep the order of the columns.
    return given or tuple(str(column).zfill(20) for column in range(width))


def _plain(cell: str) -> str:
    """A number without an exponent, which Model Monitor would take for text.

    Raises:
        InvalidOperation: it is none.
    """
    number = Decimal(cell)
    if not number.is_finite():
        raise InvalidOperation(cell)
    return format(number, "f")


def _is_answered(record: Any, rows: int) -> bool:
    """Whether there are as many scores as rows; True where answers are not captured."""
    output = getattr(record, "endpoint_output", None)
    if output is None or not getattr(output, "data", None):
        return True
    try:
        return len(json.loads(_text(output))["scores"]) == rows
    except (ValueError, KeyError, TypeError):
        return False
