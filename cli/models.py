"""`fraud models`: the versions of the model, what is known of each, and what people decide about them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, model_versions
from cli.errors import CommandError
from cli.model_versions import Version
from cli.options import AsJson
from cli.target import Target, addressed

if TYPE_CHECKING:
    from rich.console import RenderableType

LIST = """[bold]Examples[/bold]

  fraud models list

  fraud models list --limit 100 --json | jq '.[] | select(.approval == "pending") | .version'"""
SHOW = """[bold]Examples[/bold]

  fraud models show                            the newest version

  fraud models show 7 --report report.html     and save the page that holds it against the champion

  fraud models show 7 --card                   the model card, as Markdown"""
APPROVE = """[bold]Examples[/bold]

  fraud models approve 7

  fraud models approve 7 --because "Better on e-commerce, looked at with the fraud team"

The approval starts its rollout: follow it with `fraud rollout watch`."""
REJECT = """[bold]Examples[/bold]

  fraud models reject 7 --because "Reviews twice as many new cards"

A version that serves goes on serving; one that is being rolled out is stopped with `fraud rollout abort`."""
COMPARE = """[bold]Examples[/bold]

  fraud models compare 6 7

  fraud models compare 6 7 --json | jq .gains

Each version's numbers are from the rows that its own training kept apart. Only where the second was
evaluated against the first, on the same rows, are there gains with an interval."""

Model = Annotated[str, typer.Argument(metavar="VERSION", help="Number or ARN of a version.")]
Newest = Annotated[
    str | None, typer.Argument(metavar="[VERSION]", help="Number or ARN of a version; the newest by default.")
]
Because = Annotated[str | None, typer.Option("--because", metavar="TEXT", help="Why; it is kept with the version.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100, help="At most so many, the newest.")]
Report = Annotated[Path | None, typer.Option(help="Save the report of its evaluation here.")]
Card = Annotated[bool, typer.Option("--card", help="Print the model card, and nothing else.")]

LONGEST_REASON = 1_024
SHOWN = ("average_precision", "auc", "ece", "alert_precision", "alert_recall", "block_precision", "review_share")
COLOURS = {"approved": "green", "pending": "yellow", "rejected": "red"}

rooms = typer.Typer(help="Versions of the model, and what people decide about them.", no_args_is_help=True)


# --- Look -----------------------------------------------------------------------------------------------------------


@rooms.command("list", epilog=LIST)
@addressed
def list_versions(target: Target, limit: Limit = 20, as_json: AsJson = False) -> None:
    """List versions, newest first: approval, role, where they come from, how good they were."""
    serving = model_versions.roles(target)
    with console.working("Reading the registry"):
        rows = [row(each, serving) for each in model_versions.versions(target, limit)]
    if as_json:
        console.write_json(rows)
    elif not rows:
        console.stdout().print("No version is registered yet; the first one: fraud train, then fraud deploy-model.")
    else:
        console.stdout().print(table(rows))


def row(version: Version, serving: Mapping[str, str]) -> dict[str, Any]:
    """A version in a row."""
    metrics = version.document.get("training", {}).get("metrics", {})
    return {
        "version": version.number,
        "registered_at": version.registered_at,
        "approval": version.approval,
        "serves_as": serving.get(version.arn),
        "verdict": version.lineage.get("verdict"),
        "average_precision": metrics.get("average_precision"),
        "gain": version.evaluation.get("gains", {}).get("average_precision"),
        "model_package": version.arn,
    }


def table(rows: list[dict[str, Any]]) -> "RenderableType":
    """Rows for people."""
    from rich.table import Table

    shown = Table(box=None, header_style="bold")
    for name in ("version", "registered", "approval", "serves as", "retraining said", "average precision", "gain"):
        shown.add_column(name, justify="right" if name in ("version", "average precision", "gain") else "left")
    for each in rows:
        shown.add_row(
            str(each["version"]),
            f"{each['registered_at']:%Y-%m-%d %H:%M}",
            f"[{COLOURS[each['approval']]}]{each['approval']}[/]",
            each["serves_as"] or "",
            (each["verdict"] or "").replace("_", " "),
            number(each["average_precision"]),
            interval(each["gain"]),
        )
    return shown


@rooms.command(epilog=SHOW)
@addressed
def show(
    target: Target, model: Newest = None, report: Report = None, card: Card = False, as_json: AsJson = False
) -> None:
    """Show what is known of a version: numbers, thresholds, where it comes from, and its report."""
    version = model_versions.version(target, model)
    if report is not None:
        report.write_text(version.text("report_uri"), encoding="utf-8")
        console.say(f"Report of version {version.number}: {report.resolve()}")
    if card:
        print(version.text("card_uri"))
    elif as_json:
        console.write_json(known(version, model_versions.roles(target)))
    else:
        for part in screen(version, model_versions.roles(target)):
            console.stdout().print(part)


def known(version: Version, serving: Mapping[str, str]) -> dict[str, Any]:
    """All that is known of a version."""
    return {
        **row(version, serving),
        "description": version.described.get("ModelPackageDescription"),
        "approval_description": version.described.get("ApprovalDescription"),
        "thresholds": version.document.get("thresholds"),
        "metrics": version.document.get("training", {}).get("metrics"),
        "lineage": version.lineage,
        "evaluation": version.evaluation or None,
    }


def screen(version: Version, serving: Mapping[str, str]) -> "list[RenderableType]":
    """The same for people."""
    role = serving.get(version.arn)
    head = f"[bold]Version {version.number}[/], [{COLOURS[version.approval]}]{version.approval}[/]"
    said = version.described.get("ModelPackageDescription") or version.described.get("ApprovalDescription") or ""
    numbers = version.document.get("training", {}).get("metrics", {})
    parts: list[RenderableType] = [f"{head}{f', {role}' if role else ''}  [dim]{version.arn}[/]", said]
    if numbers:
        shown = {name.replace("_", " "): number(numbers[name]) for name in SHOWN if name in numbers}
        parts.append(console.table_of("On the rows its training kept apart", shown))
    if gains := version.evaluation.get("gains"):
        against = version.evaluation["champion"]["model_package"].rpartition("/")[2]
        rows = {name.replace("_", " "): interval(gain) for name, gain in gains.items()}
        parts.append(console.table_of(f"Over version {against}, on the same rows (95 % interval)", rows))
    if version.lineage:
        parts.append(console.table_of("Where it comes from", version.lineage))
    return parts


def number(value: float | None) -> str:
    """Four decimals."""
    return "–" if value is None else f"{value:.4f}"


def interval(gain: Mapping[str, float] | None) -> str:
    """A gain with its interval."""
    if gain is None:
        return "–"
    return f"{gain['difference']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})"


# --- Decide -----------------------------------------------------------------------------------------------------------


@rooms.command(epilog=APPROVE)
@addressed
def approve(target: Target, model: Model, because: Because = None, as_json: AsJson = False) -> None:
    """Approve a version, which starts its rollout."""
    decide(target, model, "Approved", because, as_json)


@rooms.command(epilog=REJECT)
@addressed
def reject(target: Target, model: Model, because: Because = None, as_json: AsJson = False) -> None:
    """Reject a version, so that nothing rolls it out."""
    decide(target, model, "Rejected", because, as_json)


def decide(target: Target, model: str, status: str, because: str | None, as_json: bool) -> None:
    """Note what a person decided. Raises: CommandError when that stands already."""
    version, word = model_versions.version(target, model), model_versions.APPROVALS[status]
    if version.approval == word:
        raise CommandError(f"Version {version.number} is {word} already.")
    reason = {"ApprovalDescription": because[:LONGEST_REASON]} if because else {}
    target.client("sagemaker").update_model_package(ModelPackageArn=version.arn, ModelApprovalStatus=status, **reason)
    if as_json:
        console.write_json({"version": version.number, "model_package": version.arn, "approval": word})
        return
    follows = "Its rollout starts by itself: fraud rollout watch" if status == "Approved" else serves_still(version)
    console.stdout().print(f"Version {version.number} is {word}. {follows}", highlight=False, soft_wrap=True)


def serves_still(version: Version) -> str:
    """What a rejection does not do."""
    role = model_versions.roles(version.target).get(version.arn)
    if role == "challenger":
        return "It is being rolled out: stop that with `fraud rollout abort`."
    return "It serves still: roll another version out." if role else "Nothing rolls it out any more."


# --- Compare ----------------------------------------------------------------------------------------------------------


@rooms.command(epilog=COMPARE)
@addressed
def compare(target: Target, first: Model, second: Model, as_json: AsJson = False) -> None:
    """Hold two versions beside each other."""
    pair = model_versions.version(target, first), model_versions.version(target, second)
    found = differences(*pair)
    if as_json:
        console.write_json(found)
        return
    for part in beside(pair, found):
        console.stdout().print(part)


def differences(first: Version, second: Version) -> dict[str, Any]:
    """What is known of both, and the gains of the second where it was evaluated against the first."""
    champion = (second.evaluation.get("champion") or {}).get("model_package")
    names = [set(each.document.get("contract", {}).get("names", ())) for each in (first, second)]
    return {
        "versions": [first.number, second.number],
        "metrics": {name: [_metric(each, name) for each in (first, second)] for name in SHOWN},
        "thresholds": [each.document.get("thresholds") for each in (first, second)],
        "learned": [_learned(each) for each in (first, second)],
        "features_added": sorted(names[1] - names[0]),
        "features_removed": sorted(names[0] - names[1]),
        "gains": second.evaluation["gains"] if champion == first.arn else None,
    }


def beside(pair: tuple[Version, Version], found: Mapping[str, Any]) -> "list[RenderableType]":
    """The same for people."""
    from rich.table import Table

    shown = Table("", *(f"version {each.number}" for each in pair), box=None, header_style="bold")
    for name, (before, after) in found["metrics"].items():
        shown.add_row(name.replace("_", " "), number(before), number(after))
    for name in ("review", "block"):
        shown.add_row(f"{name} threshold", *(number((each or {}).get(name)) for each in found["thresholds"]))
    shown.add_row("learned from", *found["learned"])
    changed = {"features added": found["features_added"], "features removed": found["features_removed"]}
    words = {name: ", ".join(names) for name, names in changed.items() if names}
    parts: list[RenderableType] = [shown, *([console.table_of("", words)] if words else [])]
    if found["gains"] is None:
        remark = f"Version {pair[1].number} was not evaluated against version {pair[0].number} on the same rows."
        return [*parts, f"[dim]{remark}[/]"]
    gains = {name.replace("_", " "): interval(gain) for name, gain in found["gains"].items()}
    return [*parts, console.table_of("Gain on the same rows (95 % interval)", gains)]


def _metric(version: Version, name: str) -> float | None:
    value: float | None = version.document.get("training", {}).get("metrics", {}).get(name)
    return value


def _learned(version: Version) -> str:
    training = version.document.get("training", {})
    return f"{training.get('first_at', '')[:10]} to {training.get('last_at', '')[:10]}" if training else "–"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(rooms, name="models")
