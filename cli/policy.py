"""`fraud policy`: what other rules, lists, thresholds or another model would have decided."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import archive, console, model_versions
from cli.errors import CommandError, NotFound
from cli.options import AsJson
from cli.target import Target, addressed
from cli.training import ARCHIVE

if TYPE_CHECKING:
    from fraud.routing import ServedModel
    from model.boosting import Scores
    from model.replay import Codes, Decided

REPLAY = """[bold]Examples[/bold]

  fraud policy replay --review 0.05            more reviews: how much more fraud do they catch?

  fraud policy replay --policy policy.json     other rules and lists

  fraud policy replay --model 7 --days 30      another version, at its own thresholds

  fraud policy replay --model .fraud/model --block 0.8 --json | jq .after.value_caught

Decisions are decided again on the features that were served, by the code that serves. Frauds and false alerts are
counted where the outcome is settled: a verdict came, or a week went by and nobody complained. What was blocked without
a verdict has no outcome, so that a policy which blocks less looks no better and no worse for it."""

POLICY = Path(__file__).parent.parent / "functions" / "policy.json"
PolicyFile = Annotated[Path, typer.Option("--policy", metavar="FILE", help="Rules and lists; those of this checkout.")]
Review = Annotated[float | None, typer.Option(min=0, max=1, help="Scores at or above it go to review.")]
Block = Annotated[float | None, typer.Option(min=0, max=1, help="Scores at or above it are blocked.")]
Model = Annotated[
    str | None, typer.Option(metavar="VERSION", help="Score with this version, or with a directory of `fraud train`.")
]
Days = Annotated[int, typer.Option(min=1, max=730, help="How many days to look back.")]
Maturity = Annotated[int, typer.Option(min=0, max=120, help="Days after which silence means genuine.")]

rooms = typer.Typer(help="Rules, lists and thresholds: what others would have decided.", no_args_is_help=True)


@dataclass(frozen=True)
class Alternative:
    """Scores of the rows, and the models that gave them by package."""

    scores: "Scores"
    packages: list[str]
    models: "Mapping[str, ServedModel]"


@rooms.command(epilog=REPLAY)
@addressed
def replay(
    target: Target,
    policy_file: PolicyFile = POLICY,
    review: Review = None,
    block: Block = None,
    model: Model = None,
    days: Days = 14,
    maturity: Maturity = 7,
    as_json: AsJson = False,
) -> None:
    """Decide the archive again, and hold what comes of it against what was decided."""
    from fraud import policy
    from model import replay as again

    rules = policy.load(policy_file.read_bytes())
    with tempfile.TemporaryDirectory(prefix="fraud-replay-") as folder:
        archive.fetch(target, days, Path(folder))
        settled_before = int(datetime.now(UTC).timestamp()) - maturity * again.DAY
        rows = again.read(Path(folder), settled_before)
    other = alternative(target, rows, model, review, block)
    with console.progress("Deciding again", len(rows)) as meter:
        actions = again.replay(rows, rules, other.scores, other.models, other.packages, meter.reach)
    found = compared(rows, actions)
    if as_json:
        console.write_json(found)
    else:
        show(found)


def alternative(
    target: Target, rows: "Decided", model: str | None, review: float | None, block: float | None
) -> Alternative:
    """The scores that count, at the thresholds that count. Raises: CommandError."""
    if model is None:
        known = {package: thresholds(target, package) for package in sorted({*rows.packages} - {""})}
        scores, packages = rows.scores, rows.packages
    else:
        with tempfile.TemporaryDirectory(prefix="fraud-model-") as folder:
            document, scores = scored(artefact(target, model), Path(folder), rows)
        packages, known = ["tried"] * len(rows), {"tried": document["thresholds"]}
    return Alternative(
        scores, packages, {package: served(package, limits, review, block) for package, limits in known.items()}
    )


def thresholds(target: Target, package: str) -> Mapping[str, float]:
    """Of a registered version. Raises: NotFound."""
    document = model_versions.look(target, package).document
    if not document:
        raise NotFound(f"{package} records no document: name thresholds of another version with --model.")
    limits: Mapping[str, float] = document["thresholds"]
    return limits


def served(package: str, limits: Mapping[str, float], review: float | None, block: float | None) -> "ServedModel":
    """A model at its thresholds, or at those that were chosen. Raises: CommandError."""
    from fraud.routing import ServedModel

    chosen = (limits["review"] if review is None else review, limits["block"] if block is None else block)
    if chosen[0] > chosen[1]:
        raise CommandError(f"Review begins at {chosen[0]:g}, above the {chosen[1]:g} at which is blocked.")
    return replace(ServedModel("", package, (), "", 0.0, 0.0), review_threshold=chosen[0], block_threshold=chosen[1])


def artefact(target: Target, model: str) -> bytes:
    """The archive of a version, or of a directory. Raises: CommandError."""
    local = Path(model) / ARCHIVE
    if local.is_file():
        return local.read_bytes()
    if Path(model).is_dir():
        raise CommandError(f"No model package in {model}: there is no {ARCHIVE}. Make one with `fraud train`.")
    return model_versions.version(target, model).artefact()


def scored(content: bytes, folder: Path, rows: "Decided") -> tuple[dict[str, Any], "Scores"]:
    """The package's document and its scores of the rows. Raises: CommandError, FraudError."""
    import io
    import json
    import tarfile

    from fraud import features, model_package
    from model import boosting, inference

    document: dict[str, Any] = json.loads(model_package.document_in(content))
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        package.extractall(folder, filter="data")
    booster = inference.model_fn(str(folder)).booster
    columns = [features.NAMES.index(name) for name in document["contract"]["names"]]
    return document, boosting.score(booster, rows.features[:, columns])


def compared(rows: "Decided", actions: "Codes") -> dict[str, Any]:
    """Before and after: altogether, in parts, and what moved."""
    from model import replay as again

    parts = [
        {
            "by": by,
            "value": value,
            "before": asdict(again.measure(rows, rows.actions, which)),
            "after": asdict(again.measure(rows, actions, which)),
        }
        for by, value, which in again.segments(rows)
        if which.any()
    ]
    return {
        "transactions": len(rows),
        "settled": int(rows.settled.sum()),
        "unreadable": rows.unreadable,
        "before": asdict(again.measure(rows, rows.actions)),
        "after": asdict(again.measure(rows, actions)),
        "moves": again.moves(rows.actions, actions),
        "segments": parts,
    }


def show(found: Mapping[str, Any]) -> None:
    """For people."""
    from rich.table import Table

    out = console.stdout()
    out.print(f"{found['transactions']:,} decisions, {found['settled']:,} with a settled outcome", highlight=False)
    if found["unreadable"]:
        out.print(f"{found['unreadable']:,} more were made on another table of features, and are left out")
    out.print()
    table = Table("", "as decided", "as replayed", box=None, header_style="bold")
    for name, text in LINES.items():
        table.add_row(text, *(cell(name, found[when][name]) for when in ("before", "after")))
    out.print(table)
    moved = [
        f"{count:,} from {was} to {now}"
        for was, row in found["moves"].items()
        for now, count in row.items()
        if was != now and count
    ]
    out.print("\n[bold]Moved:[/] " + ("; ".join(moved) or "nothing"), highlight=False)
    parts = Table(
        "", "alerts a day", "→", "fraud value caught", "→", "false alerts a day", "→", box=None, header_style="bold"
    )
    for each in found["segments"]:
        before, after = each["before"], each["after"]
        cells = (
            (f"{side['reviews'] + side['blocks']:,.1f}", cell("value_caught", side["value_caught"]),
             f"{side['false_alerts']:,.1f}") for side in (before, after)
        )  # fmt: skip
        parts.add_row(f"{each['by']} {each['value']}", *(value for pair in zip(*cells, strict=True) for value in pair))
    out.print()
    out.print(parts)


LINES = {
    "reviews": "reviews a day",
    "blocks": "blocks a day",
    "frauds_caught": "frauds caught",
    "value_caught": "fraud value caught",
    "false_alerts": "false alerts a day",
    "precision": "alerts that are fraud",
}
SHARES = ("value_caught", "precision")


def cell(name: str, value: float | None) -> str:
    """A number as people read it."""
    if value is None:
        return "–"
    if name in SHARES:
        return f"{value:.1%}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(rooms, name="policy")
