"""`fraud states rebuild`: cards and terminals from the archive, for code that keeps them otherwise, or a new stack."""

import time
from collections.abc import Iterable, Iterator, Mapping
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
amiss, and how many states would change. Synchronous requests have to be held as well, which is not looked at: by their
callers, or by Lambda, which turns them away while AnswerTransactionFunction has a reserved concurrency of 0. What one
writes all the same is not overwritten: the command fails and says so.

It can be repeated: what is right already is not written."""

Archives = Annotated[
    list[str] | None,
    typer.Option("--archive", metavar="BUCKET", help="Another archive beside the stack's own; may be given again."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be written.")]
Forget = Annotated[
    bool, typer.Option("--forget", help="Remove states of another version whose entities no archive knows.")
]
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
        removed: stored by code of another version, and in no archive; removed unless it is a dry run.
    """

    decisions: int
    labels: int
    equal: int
    written: int
    expired: int
    unknown: int
    removed: int


@dataclass(frozen=True, slots=True)
class Found:
    """What there is: stored items by key, and archived decisions and labels."""

    stored: dict[str, Any]
    decisions: list[archived.Document]
    labels: list[archived.Document]


@addressed
def rebuild(
    target: Target,
    archive: Archives = None,
    forget: Forget = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Compute the state of every card and terminal from archived decisions and labels, and store it."""
    found, days = _found(target, archive or ()), retention(target)
    strangers = _strangers(found)
    obstacles = [*running(target), *missing(target, found.decisions, found.labels, days["ArchiveRetentionDays"])]
    obstacles += [] if forget else refused(strangers)
    if obstacles and not dry_run:
        raise CommandError(f"{'; '.join(obstacles)}: nothing was written.")
    result = _store(target, found, strangers if forget else set(), days["EntityRetentionDays"], dry_run)
    _report(result, obstacles, dry_run, as_json)


def _found(target: Target, archives: Iterable[str]) -> Found:
    # States before all else: who decides later moves a state that was read, who decided sooner has a decision to miss.
    stored = backfill.stored(target)
    buckets = list(dict.fromkeys([target.output("ArchiveBucketName"), *archives]))
    return Found(stored, archived.decisions(target, buckets), archived.labels(target, buckets))


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


def refused(strangers: set[str]) -> Iterator[str]:
    """What would still fail, with all that are of it."""
    if strangers:
        yield (
            f"{len(strangers):,} states are of another version and in no archive, and transactions of their cards and "
            "terminals would fail: name their archive by --archive, or remove them by --forget"
        )


def _strangers(found: Found) -> set[str]:
    """Keys of states that serving would read and refuse, and that are not computed anew."""
    unknown = backfill.live(found.stored) - _entities(found.decisions)
    return {key for key in unknown if not backfill.is_readable(found.stored[key], key)}


def _store(target: Target, found: Found, removed: set[str], live_days: int, dry_run: bool) -> Rebuilt:
    stored, states = found.stored, dict(backfill.states(_dataset(found.decisions, found.labels)))
    alive = {key: states[key] for key in states.keys() & _alive(found, live_days)}
    changed = {key: state for key, state in alive.items() if not backfill.is_stored(stored.get(key), key, state)}
    if not dry_run:
        backfill.remove(target, removed, stored)
        backfill.replace(target, changed, stored, live_days)
    return Rebuilt(
        decisions=len(found.decisions),
        labels=len(found.labels),
        equal=len(alive) - len(changed),
        written=len(changed),
        expired=len(states) - len(alive),
        unknown=len(stored.keys() - states.keys() - removed),
        removed=len(removed),
    )


def _dataset(decisions: list[archived.Document], labels: list[archived.Document]) -> "Dataset":
    from model import archive

    with console.progress("Computing states", max(1, len(decisions))) as meter:
        return archive.backfill(decisions, labels, datetime.now(UTC), progress=lambda done, _: meter.reach(done))


def _alive(found: Found, live_days: int) -> set[str]:
    """Keys of what a decision was about lately, or what is stored and has not expired: labels prolong it, too."""
    since = datetime.fromtimestamp(time.time() - live_days * DAY, UTC).isoformat()
    return backfill.live(found.stored) | _entities([each for each in found.decisions if each["arrived_at"] >= since])


def _entities(decisions: list[archived.Document]) -> set[str]:
    """Keys of the cards and terminals that decisions are about."""
    from fraud import entities

    cards = {entities.card_key(each["card_token"]) for each in decisions}
    return cards | {entities.terminal_key(each["terminal_id"]) for each in decisions}


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
    if result.removed:
        console.say(f"{result.removed:,} states of another version {'would be' if dry_run else 'were'} removed.")
    if result.unknown:
        console.say(
            f"[yellow]{result.unknown:,} states are of entities that no archive knows, and stay as they are.[/]"
        )


def register(app: typer.Typer) -> None:
    """Add the commands."""
    room = typer.Typer(no_args_is_help=True, help="What is known of cards and terminals.")
    room.command(epilog=EPILOG)(rebuild)
    app.add_typer(room, name="states")
