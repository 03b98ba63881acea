"""The schemas of Model Monitor's files, as its documentation has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FOLDER = Path(__file__).parent / "schemas"


def validate(document: Any, schema: str) -> None:
    """Raises: jsonschema.ValidationError: the document is not of the schema, or has more than that."""
    Draft202012Validator(json.loads((FOLDER / f"{schema}.json").read_text())).validate(document)


def validated(path: Path, schema: str) -> Any:
    """The document of a file, which is of the schema."""
    document = json.loads(path.read_text())
    validate(document, schema)
    return document
