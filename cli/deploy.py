"""`fraud deploy-model`: a model into the registry and, once approved, by a rollout into service."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import console, machine, rollout_machine, rollout_record
from cli.errors import CommandError
from cli.options import AsJson
from cli.stack_name import require_short
from cli.target import Target, addressed
from cli.training import ARCHIVE

if TYPE_CHECKING:
    from fraud.rollout import Rollout
    from fraud.services.packages import Packages

EPILOG = """[bold]Examples[/bold]

  fraud deploy-model .fraud/model --approve

  fraud deploy-model .fraud/model              only register it, for somebody else to approve

  fraud deploy-model arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/3

Without a model everything is decided by rules; the first one serves as soon as its smoke vectors are scored. Any other
comes in by a rollout with the stack's plan, which this command follows. Giving the same directory again registers no
second version."""

Model = Annotated[str, typer.Argument(help="A directory that `fraud train` wrote, or the ARN of an approved version.")]
Approve = Annotated[bool, typer.Option("--approve", help="Approve it yourself, which starts its rollout.")]
BEGINS_WITHIN = 30.0
"""Seconds in which the approval of a package starts its rollout; then this command does."""
LOOK_EVERY = 1.0


@addressed
def deploy_model(target: Target, model: Model, approve: Approve = False, as_json: AsJson = False) -> None:
    """Register a model package and, once approved, roll it out."""
    require_short(target.stack_name)
    before = last_rollout(target)
    with console.stderr().status("Registering") as spinner:
        package = model if model.startswith("arn:") else enlist(registry(target), Path(model), approve)
        served = approve or model.startswith("arn:")
        if served:
            roll_out(target, package, spinner.update, before, by_event=approve)
    tell(package, served, as_json)


def registry(target: Target) -> "Packages":
    """What registers models, bound to the stack."""
    from fraud.rollout_bootstrap import packages
    from fraud.settings import RegistrySettings

    names = RegistrySettings(
        model_package_group=target.output("ModelPackageGroupName"),
        model_image=target.output("ModelImageUri"),
        model_bucket=target.output("ArchiveBucketName"),
    )
    return packages(target.session, names, target.endpoint_url)


def enlist(packages: "Packages", directory: Path, approve: bool) -> str:
    """Register the package in a directory; its ARN. Raises: CommandError, FraudError."""
    archive = directory / ARCHIVE
    if not archive.is_file():
        raise CommandError(f"No model package in {directory}: there is no {ARCHIVE}. Make one with `fraud train`.")
    return packages.register(archive.read_bytes(), approved=approve)


def roll_out(
    target: Target,
    package: str,
    progress: Callable[[str], None],
    before: str | None,
    *,
    by_event: bool,
    every: float = LOOK_EVERY,
) -> "Rollout":
    """Follow the rollout of a package to its end; what its approval did not start is started here.

    `before` is the id of the last rollout before the package was approved.

    Raises: CommandError when it is not promoted, with the reason.
    """
    if serves(target, package):
        raise CommandError(f"{package} serves as champion already.")
    rollout = begun(target, package, before, BEGINS_WITHIN if by_event else 0.0, every)
    if rollout is None:
        rollout_machine.begin(target, {"model_package_arn": package, "started_by": machine.caller(target)})
        rollout = begun(target, package, before, BEGINS_WITHIN, every)
    if rollout is None:
        raise CommandError(f"The rollout of {package} did not begin: {rollout_machine.last_word(target)}")
    for seen in rollout_record.looks(target, rollout.rollout_id, every):
        rollout = seen.rollout
        progress(rollout.events[-1].sentence if rollout.events else rollout.stage)
    if rollout.stage != "promoted":
        raise CommandError(f"{package} was rolled back: {rollout.reason}")
    return rollout


def serves(target: Target, package: str) -> bool:
    """Whether a package is the champion."""
    from cli import tables
    from cli.status import served

    routing = tables.get(target, "RolloutTableName", {"pk": "routing", "sk": "routing"})
    return bool(served(routing)["model_package"] == package)


def last_rollout(target: Target) -> str | None:
    """Id of the rollout under way, or of the last one."""
    rollout = rollout_record.current(target)
    return rollout.rollout_id if rollout else None


def begun(target: Target, package: str, before: str | None, within: float, every: float) -> "Rollout | None":
    """The record of the package's rollout after `before`, as soon as there is one; None if there is none in time."""
    deadline = time.monotonic() + within
    while True:
        rollout = rollout_record.current(target)
        if rollout and rollout.rollout_id != before and rollout.candidate.model_package == package:
            return rollout
        if time.monotonic() >= deadline:
            return None
        time.sleep(every)


def tell(package: str, served: bool, as_json: bool) -> None:
    """What stands now."""
    if as_json:
        console.write_json({"model_package": package, "in_service": served})
    elif served:
        console.stdout().print(f"[green]In service[/]: {package}", highlight=False, soft_wrap=True)
    else:
        console.stdout().print(
            f"Registered: {package}\nOnce approved, it is rolled out by itself; or: fraud deploy-model {package}",
            highlight=False,
            soft_wrap=True,
        )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(deploy_model)
