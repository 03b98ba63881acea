"""Tables of JSON lines: columns as they declare them, which the stand-in guesses from the data; partitions by path.

Keys of the documents are taken as they stand: names in capitals, which Athena lowers, are not found.
"""

import json
import re
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from local.gateway import service

_SERDES = ("org.openx.data.jsonserde.JsonSerDe", "org.apache.hive.hcatalog.data.JsonSerDe")
_IGNORE_MALFORMED = "ignore.malformed.json"
_KNOWN_PARAMETERS = {_IGNORE_MALFORMED, "serialization.format", "case.insensitive", "paths"}
_LONGEST_LINE_BYTES = 1 << 26
_SIMPLE = {
    "string": "VARCHAR",
    "varchar": "VARCHAR",
    "char": "VARCHAR",
    "boolean": "BOOLEAN",
    "tinyint": "TINYINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "binary": "BLOB",
}
Table = dict[str, Any]
"""A table of the Glue catalogue."""


def install() -> None:
    engine = service("athena")
    guessed, empty = engine._table_relation, engine._empty_relation
    engine._table_relation = lambda table, files: relation(table, files) if _is_json(table) else guessed(table, files)
    engine._empty_relation = lambda table: empty_relation(table) if _is_json(table) else empty(table)


def duck_type(declared: str) -> str:
    """DuckDB's name of a type of Hive's.

    Raises: ValueError if it is none.
    """
    found = re.fullmatch(r"\s*(\w+)\s*(?:[<(](.*)[>)])?\s*", declared.lower(), re.DOTALL)
    name, inner = found.groups() if found else (declared, "")
    if name == "array":
        return f"{duck_type(inner)}[]"
    if name == "map":
        return f"MAP({', '.join(duck_type(part) for part in _parts(inner))})"
    if name == "struct":
        fields = [part.split(":", 1) for part in _parts(inner)]
        return f"STRUCT({', '.join(f'{_quoted(field.strip())} {duck_type(kind)}' for field, kind in fields)})"
    if name == "decimal":
        return f"DECIMAL({inner or '10, 0'})"
    if name not in _SIMPLE:
        raise ValueError(f"HIVE_UNSUPPORTED_FORMAT: type {declared!r}")
    return _SIMPLE[name]


def _parts(inner: str) -> list[str]:
    """What stands between the commas of the outermost level."""
    parts, depth = [""], 0
    for character in inner:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def relation(table: Table, files: Sequence[str]) -> str:
    """A FROM item of the table's rows.

    A line that is no document is a row of nulls, and so is a broken one if the table says so; a value that its column
    cannot take is null. Files outside the folders of partitions belong to none, and are not read.
    """
    keys = table.get("PartitionKeys") or []
    partitioned = [file for file in files if {key["Name"] for key in keys} <= _folders(file)]
    if not partitioned:
        return empty_relation(table)
    engine = service("athena")
    lines = (
        f"read_csv({engine._sql_list(partitioned)}, columns = {{'line': 'VARCHAR'}}, auto_detect = false, "
        # No such character can stand in JSON: a line is one value, whatever it holds.
        "header = false, delim = '\x01', quote = '', escape = '', null_padding = true, strict_mode = false, "
        f"max_line_size = {_LONGEST_LINE_BYTES}, {engine._hive_options(keys)})"
    )
    names = [_quoted(key["Name"]) for key in keys]
    document = f"json_transform({_document(table)}, {_literal(json.dumps(dict(_columns(table))))}) AS document"
    # What is written into the statement are names of the catalogue, and quoted.
    documents = f"SELECT {', '.join([document, *names])} FROM {lines}"  # noqa: S608
    return f"(SELECT {', '.join(['document.*', *names])} FROM ({documents}))"  # noqa: S608


def _document(table: Table) -> str:
    """An expression: the line if it is a JSON object, null otherwise."""
    parameters = table["StorageDescriptor"]["SerdeInfo"].get("Parameters") or {}
    if unknown := {name for name in parameters if name not in _KNOWN_PARAMETERS}:
        raise ValueError(f"The laptop's JSON tables do not know the SerDe parameters {sorted(unknown)}.")
    ignored = str(parameters.get(_IGNORE_MALFORMED, "false")).lower() == "true"
    complaint = "HIVE_CURSOR_ERROR: Row is not a valid JSON Object"
    otherwise = "NULL" if ignored else f"error({_literal(complaint)})"
    return f"CASE WHEN ltrim(line) NOT LIKE '{{%' THEN NULL WHEN json_valid(line) THEN line ELSE {otherwise} END"


def empty_relation(table: Table) -> str:
    """The same of a table without a file."""
    keys = [(key["Name"], duck_type(key.get("Type", "string"))) for key in table.get("PartitionKeys") or []]
    columns = ", ".join(f"CAST(NULL AS {kind}) AS {_quoted(name)}" for name, kind in [*_columns(table), *keys])
    return f"(SELECT {columns} WHERE FALSE)"


def _columns(table: Table) -> list[tuple[str, str]]:
    columns = table["StorageDescriptor"].get("Columns") or []
    return [(column["Name"], duck_type(column.get("Type", "string"))) for column in columns]


def _is_json(table: Table) -> bool:
    storage = table.get("StorageDescriptor") or {}
    return (storage.get("SerdeInfo") or {}).get("SerializationLibrary") in _SERDES


def _folders(file: str) -> set[str]:
    """Names of the partition keys that a file's folders give values of."""
    return {folder.split("=", 1)[0] for folder in PurePath(file).parts[:-1] if "=" in folder}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
