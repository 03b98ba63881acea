"""`fraud states rebuild`: cards and terminals from the archive, for code that keeps them otherwise, or a new stack."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import archived, backfill, console
from cli.errors import CommandError
from cli.options import AsJson
from cli.target import Target, addressed

if TYPE_CHECKING:
    from model.dataset import Dataset

EPILOG = """[bold]Examples[/bold]

  fraud states rebuild --dry-run

  fraud states rebuild

  fraud states rebuild --archive NAME-OF-THE-BUCKET-OF-A-REMOVED-STACK

Ingestion and labels have to be paused, and every decision and label has to be archived; --dry-run says what is
amiss, and how many states would change. It can be repeated: what is right already is not written."""

Archives = Annotated[
    list[str] | None,
    typer.Option("--archive", metavar="BUCKET", help="Another archive beside the stack's own; may be given again."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")]
PAUSED = {
    "ScoreTransactionsFunctionTransactions": "ingestion",
    "RecordLabelsFunctionLabels": "recording of labels",
}
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """How many decisions and labels were read, and what became of the states that they led to.

    Args:
        equal: as stored already.
        written: stored otherwise or not at all; written unless it is a dry run.
        expired: of entities so long idle that they count as never seen.
        unknown: stored, but in no archive; they stay as they are.
    """

    decisions: int
    labels: int
    equal: int
    written: int
    expired: int
    unknown: int


@addressed
def rebuild(target: Target, archive: Archives = None, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Compute the state of every card and terminal from archived decisions and labels, and store it."""
    buckets = list(dict.fromkeys([target.output("ArchiveBucketName"), *(archive or ())]))
    decisions, labels = archived.decisions(target, buckets), archived.labels(target, buckets)
    days = retention(target)
    obstacles = [*running(target), *missing(target, decisions, labels, days["ArchiveRetentionDays"])]
    if obstacles and not dry_run:
        raise CommandError(f"{'; '.join(obstacles)}: nothing was written.")
    live = days["EntityRetentionDays"]
    result = _store(target, decisions, labels, live, dry_run)
    _report(result, obstacles, dry_run, as_json)


def retention(target: Target) -> dict[str, int]:
    """Days by the names of the template's parameters."""
    stack = target.client("cloudformation").describe_stacks(StackName=target.stack_name)["Stacks"][0]
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    return {name: int(values[name]) for name in ("ArchiveRetentionDays", "EntityRetentionDays")}


def running(target: Target) -> Iterator[str]:
    """What would write states meanwhile."""
    functions = target.client("lambda")
    for logical_id, what in PAUSED.items():
        uuid = target.resource(logical_id)
        if functions.get_event_source_mapping(UUID=uuid)["State"] != "Disabled":
            yield (
                f"{what} is not paused: `aws lambda update-event-source-mapping --uuid {uuid} --no-enabled`, "
                "and wait until it is Disabled"
            )


def missing(
    target: Target, decisions: list[archived.Document], labels: list[archived.Document], archive_days: int
) -> Iterator[str]:
    """What the stack knows and the archive does not know yet."""
    since = datetime.fromtimestamp(time.time() - archive_days * DAY, UTC).isoformat()
    known, told = ({each["transaction_id"] for each in found} for found in (decisions, labels))
    unprojected = unarchived = untold = 0
    for item in _decided(target):
        key, young = item["transaction_id"]["S"], item["arrived_at"]["S"] > since
        unprojected += "projected" not in item
        unarchived += young and key not in known
        untold += young and "label" in item and key not in told
    if unprojected:
        yield f"{unprojected:,} decisions are not counted at their terminals yet, which takes a moment"
    if unarchived:
        yield f"{unarchived:,} decisions are not in the archive yet, which takes up to two minutes"
    if untold:
        yield f"{untold:,} labels are not in the archive yet, which takes up to two minutes"


def _decided(target: Target) -> Iterator[Mapping[str, Any]]:
    scan = target.client("dynamodb").get_paginator("scan")
    names = {"#l": "label", "#p": "projected"}
    pages = scan.paginate(
        TableName=target.output("DecisionTableName"),
        ProjectionExpression="transaction_id, arrived_at, #p, #l.is_fraud",
        ExpressionAttributeNames=names,
        ConsistentRead=True,
    )
    return (item for page in pages for item in page["Items"])


def _store(
    target: Target, decisions: list[archived.Document], labels: list[archived.Document], live_days: int, dry_run: bool
) -> Rebuilt:
    dataset = _dataset(decisions, labels)
    stored = backfill.stored(target)
    since = datetime.fromtimestamp(time.time() - live_days * DAY, UTC).isoformat()
    seen = _alive(decisions, since)
    states = dict(backfill.states(dataset))
    alive = {key: state for key, state in states.items() if key in seen}
    changed = {key: state for key, state in alive.items() if not backfill.is_stored(stored.get(key), key, state)}
    if not dry_run:
        backfill.replace(target, changed, stored, live_days)
    return Rebuilt(
        decisions=len(decisions),
        labels=len(labels),
        equal=len(alive) - len(changed),
        written=len(changed),
        expired=len(states) - len(alive),
        unknown=len(stored.keys() - states.keys()),
    )


def _dataset(decisions: list[archived.Document], labels: list[archived.Document]) -> "Dataset":
    from model import archive

    with console.progress("Computing states", max(1, len(decisions))) as meter:
        return archive.backfill(decisions, labels, datetime.now(UTC), progress=lambda done, _: meter.reach(done))


def _alive(decisions: list[archived.Document], since: str) -> set[str]:
    """Keys of cards and terminals that a decision since then was about; older states count as never seen."""
    from fraud import entities

    lately = [each for each in decisions if each["arrived_at"] >= since]
    cards = {entities.card_key(each["card_token"]) for each in lately}
    return cards | {entities.terminal_key(each["terminal_id"]) for each in lately}


def _report(result: Rebuilt, obstacles: list[str], dry_run: bool, as_json: bool) -> None:
    if as_json:
        console.write_json(asdict(result) | {"dry_run": dry_run, "obstacles": obstacles})
        return
    for obstacle in obstacles:
        console.say(f"[yellow]not ready[/] {obstacle}")
    verb = "would be written" if dry_run else "written"
    console.stdout().print(
        f"{result.written:,} states {verb}, {result.equal:,} are so already, {result.expired:,} have expired; from "
        f"{result.decisions:,} decisions and {result.labels:,} labels.",
        highlight=False,
        soft_wrap=True,
    )
    if result.unknown:
        console.say(
            f"[yellow]{result.unknown:,} states are of entities that no archive knows, and stay as they are.[/]"
        )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    room = typer.Typer(no_args_is_help=True, help="What is known of cards and terminals.")
    room.command(epilog=EPILOG)(rebuild)
    app.add_typer(room, name="states")
