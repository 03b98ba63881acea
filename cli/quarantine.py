"""`fraud replay-quarantine`: what could not be processed, dead labels too, given back to where it came from."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer

from cli import console, dead_labels, sinks
from cli.errors import CommandError
from cli.options import AsJson
from cli.producer import Producer, Record
from cli.quarantine_objects import FAILED, POISON, Contents, read
from cli.target import Target, addressed

EPILOG = """[bold]Examples[/bold]

  fraud replay-quarantine --dry-run

  fraud replay-quarantine --prefix poison/transactions/dt=2026-05-01/

  fraud replay-quarantine

Run it when the cause is gone. What was already decided is not decided or counted again. An object moves to
replayed/ once all it held was accepted; of a batch that Lambda gave up on only its numbers do. Records that held a
card number, were no UTF-8 or too long cannot be replayed and stay."""

REPLAYED = "replayed/"
Prefix = Annotated[
    list[str] | None, typer.Option(help="Only objects under this prefix, and no dead labels; may be repeated.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be replayed, and change nothing.")]
Most = Annotated[int, typer.Option("--limit", min=1, help="At most so many objects.")]


@addressed
def replay_quarantine(
    target: Target, prefix: Prefix = None, dry_run: DryRun = False, limit: Most = 10_000, as_json: AsJson = False
) -> None:
    """Give quarantined records back to the stream, the queue or the projector, and dead labels to their queue."""
    store = Quarantine(target)
    keys = list(islice(store.keys(prefix or [POISON, FAILED]), limit))
    totals = {"objects": 0, "transactions": 0, "labels": 0, "projections": 0, "kept": 0, "dead_labels": 0}
    deliver = (lambda contents: None) if dry_run else replayer(target)
    with console.progress("Replaying", len(keys)) as meter:
        for key in keys:
            contents = read(key, body := store.read(key))
            deliver(contents)
            if not dry_run:
                store.retire(key, body, contents)
            count(totals, contents)
            meter.advance(1)
    if not prefix:
        totals["dead_labels"] = (dead_labels.waiting if dry_run else dead_labels.give_back)(target)
    tell(totals, dry_run, as_json)


def replayer(target: Target) -> Callable[[Contents], None]:
    """Delivers the contents of an object. Raises: CommandError when not all were accepted."""
    stream = Producer(sinks.stream_sink(target), sinks.STREAM_LIMITS)
    queue = Producer(sinks.queue_sink(target), sinks.QUEUE_LIMITS)

    def deliver(contents: Contents) -> None:
        if contents.destination == "function":
            project(target, contents.records)
            return
        summary = (stream if contents.destination == "stream" else queue).send(contents.records)
        if summary.rejected:
            raise CommandError(f"Refused: {dict(summary.rejected)}. What is left stays in quarantine; run this again.")

    return deliver


def project(target: Target, events: Sequence[Record]) -> None:
    """Let the projector take its batch again; decisions it already projected are marked. Raises: CommandError."""
    client, function = target.client("lambda", read_timeout=90), target.resource("ProjectDecisionsFunction")
    for event in events:
        answer = client.invoke(FunctionName=function, Payload=event.data)
        response = json.loads(answer["Payload"].read() or b"null") or {}
        if "FunctionError" in answer or response.get("batchItemFailures"):
            raise CommandError(f"{function} failed again on this batch; see its log. It stays in quarantine.")


class Quarantine:
    """The quarantine bucket."""

    def __init__(self, target: Target) -> None:
        self._client, self._bucket = target.client("s3"), target.output("QuarantineBucketName")

    def keys(self, prefixes: Sequence[str]) -> Iterator[str]:
        """Keys under the prefixes, oldest name first; never those already replayed."""
        for prefix in prefixes:
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
                found = (each["Key"] for each in page.get("Contents", []))
                yield from (key for key in found if key.startswith((POISON, FAILED)))

    def read(self, key: str) -> bytes:
        """The bytes of an object."""
        return bytes(self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def retire(self, key: str, body: bytes, contents: Contents) -> None:
        """Note under replayed/ what was given back, and leave only what could not be."""
        if not contents.records:
            return
        if key.startswith(FAILED):
            self._put(REPLAYED + key, json.dumps(receipt(key, contents)))
            self._erase(key)
            return
        self._put(REPLAYED + key, body.decode())
        if contents.kept:
            self._put(key, "".join(line + "\n" for line in contents.kept))
        else:
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def _put(self, key: str, text: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=key, Body=text.encode())

    def _erase(self, key: str) -> None:
        """Delete every version: nothing masked the card numbers in what Lambda wrote."""
        for page in self._client.get_paginator("list_object_versions").paginate(Bucket=self._bucket, Prefix=key):
            for each in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                if each["Key"] == key:
                    self._client.delete_object(Bucket=self._bucket, Key=key, VersionId=each["VersionId"])


def receipt(key: str, contents: Contents) -> dict[str, object]:
    """What was replayed, without a word of it."""
    return {
        "key": key,
        "replayed_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "destination": contents.destination,
        "count": len(contents.ids),
        "sequence_numbers": contents.ids,
    }


def count(totals: dict[str, int], contents: Contents) -> None:
    """Add an object to the totals."""
    kind = {"stream": "transactions", "queue": "labels", "function": "projections"}[contents.destination]
    totals["objects"] += bool(contents.records)
    totals[kind] += len(contents.records)
    totals["kept"] += len(contents.kept)


def tell(totals: Mapping[str, int], dry_run: bool, as_json: bool) -> None:
    """Say what was done."""
    if as_json:
        console.write_json({**totals, "dry_run": dry_run})
        return
    verb = "Would replay" if dry_run else "Replayed"
    console.stdout().print(
        f"{verb} {totals['transactions']:,} transactions, {totals['labels']:,} labels and {totals['projections']:,} "
        f"batches of the projector from {totals['objects']:,} objects, and {totals['dead_labels']:,} dead labels; "
        f"{totals['kept']:,} records cannot be replayed.",
        highlight=False,
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(replay_quarantine)
