"""Reads archived decisions and labels, from one archive or several, as far as states are computed from them."""

import gzip
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cli import console
from cli.target import Target

Document = dict[str, Any]
DECISION = (
    "transaction_id", "card_token", "terminal_id", "amount_minor", "occurred_at", "arrived_at", "flags",
)  # fmt: skip
LABEL = ("transaction_id", "is_fraud", "source", "labelled_at")
READERS = 8
"""Objects that are on their way at once."""


def decisions(target: Target, buckets: Sequence[str]) -> list[Document]:
    """What states need of each decision, once."""
    return list({each["transaction_id"]: each for each in _read(target, buckets, "decisions/", DECISION)}.values())


def labels(target: Target, buckets: Sequence[str]) -> list[Document]:
    """Every label, repetitions included."""
    return list(_read(target, buckets, "labels/", LABEL))


def _read(target: Target, buckets: Sequence[str], prefix: str, names: Sequence[str]) -> Iterator[Document]:
    s3 = target.client("s3", max_pool_connections=READERS)
    places = [place for bucket in buckets for place in _objects(s3, bucket, prefix)]

    def documents(place: tuple[str, str]) -> list[Document]:
        lines = gzip.decompress(s3.get_object(Bucket=place[0], Key=place[1])["Body"].read()).splitlines()
        return [{name: found[name] for name in names if name in found} for found in map(json.loads, lines)]

    with console.progress(f"Reading {prefix.rstrip('/')}", len(places)) as meter, ThreadPoolExecutor(READERS) as pool:
        for found in pool.map(documents, places):
            yield from found
            meter.advance(1)


def _objects(s3: Any, bucket: str, prefix: str) -> Iterator[tuple[str, str]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return ((bucket, entry["Key"]) for page in pages for entry in page.get("Contents", ()))
