"""`fraud replay-quarantine`: what could not be processed, given back to where it came from."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Annotated, Any, Literal

import typer

from cli import console, sinks
from cli.errors import CommandError
from cli.options import AsJson
from cli.producer import Producer, Record
from cli.target import Target, addressed

EPILOG = """[bold]Examples[/bold]

  fraud replay-quarantine --dry-run

  fraud replay-quarantine --prefix poison/transactions/dt=2026-05-01/

  fraud replay-quarantine

Run it when the cause is gone. What was already decided is not decided or counted again. An object moves to
replayed/ once all it held was accepted; records that held a card number cannot be replayed and stay."""

POISON, FAILED = "poison/", "aws/lambda/"
REPLAYED = "replayed/"
MASK = "[PAN]"
Destination = Literal["stream", "queue", "function"]
Prefix = Annotated[list[str] | None, typer.Option(help="Only objects under this prefix; may be repeated.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be replayed, and change nothing.")]
Most = Annotated[int, typer.Option("--limit", min=1, help="At most so many objects.")]


@dataclass
class Contents:
    """What one object holds.

    Args:
        destination: where its records go.
        records: what is given back; for `function`, one event of the stream's consumer.
        kept: lines that cannot be given back.

    """

    destination: Destination
    records: list[Record] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


@addressed
def replay_quarantine(
    target: Target, prefix: Prefix = None, dry_run: DryRun = False, limit: Most = 10_000, as_json: AsJson = False
) -> None:
    """Give quarantined records back to the stream, the queue or the projector."""
    store = Quarantine(target)
    keys = list(islice(store.keys(prefix or [POISON, FAILED]), limit))
    totals = {"objects": 0, "transactions": 0, "labels": 0, "projections": 0, "kept": 0}
    deliver = (lambda contents: None) if dry_run else replayer(target)
    with console.progress("Replaying", len(keys)) as meter:
        for key in keys:
            contents = read(key, body := store.read(key))
            deliver(contents)
            if not dry_run:
                store.retire(key, body, contents)
            count(totals, contents)
            meter.advance(1)
    tell(totals, dry_run, as_json)


def read(key: str, body: bytes) -> Contents:
    """The records of an object, by what wrote it. Raises: CommandError."""
    try:
        return failed_batch(json.loads(body)) if key.startswith(FAILED) else poison(body.decode().splitlines())
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{key} cannot be read ({error!r}); move it away or leave it out with --prefix.") from error


def poison(lines: Sequence[str]) -> Contents:
    """Lines that a function refused."""
    documents = [(line, json.loads(line)) for line in lines if line.strip()]
    contents = Contents("queue" if documents and documents[0][1]["source"] == "labels" else "stream")
    for line, document in documents:
        if replayable(document):
            contents.records.append(_refused_record(document))
        else:
            contents.kept.append(line)
    return contents


def replayable(document: Mapping[str, Any]) -> bool:
    """Whether the payload is as it was sent: whole, and with nothing masked."""
    return bool(document.get("complete", True)) and MASK not in document["payload"]


def _refused_record(document: Mapping[str, Any]) -> Record:
    payload = document["payload"]
    data = base64.b64decode(payload) if document.get("encoding") == "base64" else payload.encode()
    return Record(_card_in(data) or hashlib.blake2b(data, digest_size=8).hexdigest(), data)


def _card_in(data: bytes) -> str | None:
    """The card, which keeps the record on its shard; what is still no transaction may go to any."""
    try:
        card_token = json.loads(data)["card_token"]
    except (ValueError, KeyError, TypeError):
        return None
    return card_token if isinstance(card_token, str) and 0 < len(card_token) <= 256 else None


def failed_batch(document: Mapping[str, Any]) -> Contents:
    """A batch that Lambda gave up on, with the whole event in `payload`.

    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    """
    event = json.loads(document["payload"])
    if all("kinesis" in record for record in event["Records"]):
        return Contents("stream", [_stream_record(record["kinesis"]) for record in event["Records"]])
    return Contents("function", [Record("", document["payload"].encode())])


def _stream_record(kinesis: Mapping[str, Any]) -> Record:
    return Record(kinesis["partitionKey"], base64.b64decode(kinesis["data"]))


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
        """Keep a copy under replayed/, then leave only what could not be given back."""
        if not contents.records:
            return
        self._client.put_object(Bucket=self._bucket, Key=REPLAYED + key, Body=body)
        if contents.kept:
            rest = "".join(line + "\n" for line in contents.kept)
            self._client.put_object(Bucket=self._bucket, Key=key, Body=rest.encode())
        else:
            self._client.delete_object(Bucket=self._bucket, Key=key)


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
        f"batches of the projector from {totals['objects']:,} objects; {totals['kept']:,} records cannot be replayed.",
        highlight=False,
    )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(replay_quarantine)
