"""`fraud teardown`: removes a stack and what it leaves behind, in the order AWS allows."""

import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from cli import console
from cli.errors import CommandError
from cli.options import AsJson
from cli.target import Target, addressed
from cli.teardown_plan import Kind, Step, kept, plan

EPILOG = """[bold]Examples[/bold]

  fraud teardown --dry-run

  fraud teardown

  fraud teardown --delete-data

Decisions, archives, models and their key stay unless --delete-data is given and the stack's name is typed. Evidence
(the trail's files and the recorder's) always stays, and the key with it: docs/audit.md says how it ends. Labels
and transactions that wait to be worked on go with the stack: then it refuses without --yes. Every step can be
repeated: after an interruption run it again."""

Yes = Annotated[
    bool, typer.Option("--yes", help="Do not ask, and lose what is not worked off; --delete-data asks all the same.")
]
DeleteData = Annotated[bool, typer.Option("--delete-data", help="Also remove everything that was ever decided.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")]
KEY_WINDOW_DAYS = 30
DELAYS = {Kind.KEY: f": deleted after {KEY_WINDOW_DAYS} days"}
LONGEST_WAIT = 30 * 60.0
# Functions in a network of their own go only after Lambda gave their interfaces back, commonly 20 to 45 minutes.
LONGEST_WAIT_FOR_STACK = 90 * 60.0


@addressed
def teardown(
    target: Target, yes: Yes = False, delete_data: DeleteData = False, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Remove the stack, its endpoints and models, and with --delete-data all it keeps."""
    from cli.inventory import take
    from cli.undone_work import undone

    found = take(target)
    staying = kept(found, delete_data=delete_data)
    steps = plan(found, staying)
    losses = undone(target) if any(step.kind is Kind.STACK for step in steps) else []
    announce(steps, staying, losses, as_json)
    if dry_run or not steps:
        return
    refuse_losses(losses, yes)
    confirm(target, yes, delete_data)
    remove(target, steps)
    console.say(f"[green]Removed {len(steps)}.[/]")


def announce(steps: list[Step], staying: Mapping[Step, str], losses: list[str], as_json: bool) -> None:
    """List what goes, what stays and why, and what would be lost."""
    if as_json:
        keep = [{**listed(step), "reason": reason} for step, reason in staying.items()]
        console.write_json({"remove": [listed(step) for step in steps], "keep": keep, "lost": losses})
        return
    out = console.stdout()
    for step in steps:
        delay = DELAYS.get(step.kind, "")
        out.print(f"[red]remove[/] {step.kind.value} [cyan]{step.name}[/]{delay}", highlight=False, soft_wrap=True)
    for step, reason in staying.items():
        line = f"[green]keep[/]   {step.kind.value} [cyan]{step.name}[/]: {reason}"
        out.print(line, highlight=False, soft_wrap=True)
    for loss in losses:
        out.print(f"[yellow]lose[/]   {loss}", highlight=False, soft_wrap=True)
    if not steps:
        out.print("Nothing to remove.")


def listed(step: Step) -> dict[str, str]:
    """For programs."""
    return {"kind": step.kind.name.lower(), "name": step.name}


def refuse_losses(losses: list[str], yes: bool) -> None:
    """Ask for more than an answer when work is left. Raises: CommandError."""
    if losses and not yes:
        raise CommandError(
            f"{'; '.join(losses)}: nothing was removed. Stop the producers and let it finish (see `fraud status`), "
            "or pass --yes."
        )


def confirm(target: Target, yes: bool, delete_data: bool) -> None:
    """Ask; data only goes for its stack's name typed out. Raises: CommandError."""
    if delete_data:
        typed = typer.prompt(f"This deletes the data listed for good. Type {target.stack_name} to go on", err=True)
        if typed != target.stack_name:
            raise CommandError("That is not the stack's name: nothing was removed.")
    elif not yes and not typer.confirm("Remove these?", err=True):
        raise CommandError("Nothing was removed.")


def remove(target: Target, steps: list[Step]) -> None:
    """Take the steps; what is gone by then is not an error."""
    from cli.inventory import suppress_absent

    with console.progress("Removing", len(steps)) as meter:
        for step in steps:
            meter.note(f"{step.kind.value} {step.name}")
            with suppress_absent():
                REMOVERS[step.kind](target, step.name)
            meter.advance(1)


def remove_monitoring(target: Target, name: str) -> None:
    """Remove an endpoint's schedule, which is refused while a run is not over, then its definitions.

    Raises:
        CommandError: still there after the longest wait.
    """
    from fraud.aws.model_monitor import SageMakerModelMonitor

    monitor, pause = SageMakerModelMonitor(target.client("sagemaker")), pause_of(target, 15)
    for _ in range(int(LONGEST_WAIT / pause)):
        if monitor.clear(name):
            return
        time.sleep(pause)
    raise CommandError(
        f"Model Monitor's schedule of {name} is still there. See its runs in the console, then run this again."
    )


def remove_endpoint(target: Target, name: str) -> None:
    """Let go of its scaling, delete it and wait until it is gone; its configuration must outlive it."""
    from fraud.aws.scaling import ApplicationAutoScaling

    ApplicationAutoScaling(target.client("application-autoscaling")).forget(name)
    sagemaker = target.client("sagemaker")
    sagemaker.delete_endpoint(EndpointName=name)
    wait(sagemaker.get_waiter("endpoint_deleted"), pause_of(target, 30), LONGEST_WAIT, EndpointName=name)


def remove_stack(target: Target, name: str) -> None:
    """Delete it and wait until it is gone."""
    cloudformation = target.client("cloudformation")
    cloudformation.delete_stack(StackName=name)
    waiter = cloudformation.get_waiter("stack_delete_complete")
    wait(waiter, pause_of(target, 15), LONGEST_WAIT_FOR_STACK, StackName=name)


def wait(waiter: Any, pause: float, longest: float, **of: str) -> None:
    """Poll until it is gone, `pause` seconds apart and for `longest` seconds at most. Raises: CommandError."""
    from botocore.exceptions import WaiterError

    try:
        waiter.wait(**of, WaiterConfig={"Delay": pause, "MaxAttempts": int(longest / pause)})
    except WaiterError as error:
        raise CommandError(f"{error} See it in the console, then run this again.") from error


def pause_of(target: Target, delay: float) -> float:
    """Seconds between two looks."""
    return 0.5 if target.on_laptop else delay


def remove_bucket(target: Target, name: str) -> None:
    """Empty it of every version and marker, then delete it."""
    s3 = target.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        versions = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        doomed = [{"Key": each["Key"], "VersionId": each["VersionId"]} for each in versions]
        if doomed:
            refuse_leftovers(s3.delete_objects(Bucket=name, Delete={"Objects": doomed, "Quiet": True}))
    s3.delete_bucket(Bucket=name)


def refuse_leftovers(answer: Mapping[str, Any]) -> None:
    """Raises: CommandError when objects could not be deleted."""
    errors = answer.get("Errors", [])
    if errors:
        raise CommandError(
            f"{len(errors)} objects cannot be deleted, such as {errors[0]['Key']}: {errors[0]['Message']}"
        )


def remove_table(target: Target, name: str) -> None:
    """Delete it, its protection first."""
    dynamodb = target.client("dynamodb")
    if dynamodb.describe_table(TableName=name)["Table"].get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=name)


def remove_group(target: Target, name: str) -> None:
    """Delete a group of packages once its versions, which go asynchronously, are gone."""
    sagemaker = target.client("sagemaker")
    for _ in range(30):
        if not sagemaker.list_model_packages(ModelPackageGroupName=name)["ModelPackageSummaryList"]:
            break
        time.sleep(1)
    sagemaker.delete_model_package_group(ModelPackageGroupName=name)


def calling(service: str, operation: str, parameter: str, **more: object) -> Callable[[Target, str], object]:
    """A remover that is one call."""
    return lambda target, name: getattr(target.client(service), operation)(**{parameter: name}, **more)


REMOVERS: dict[Kind, Callable[[Target, str], object]] = {
    Kind.MONITORING: remove_monitoring,
    Kind.ENDPOINT: remove_endpoint,
    Kind.ENDPOINT_CONFIG: calling("sagemaker", "delete_endpoint_config", "EndpointConfigName"),
    Kind.MODEL: calling("sagemaker", "delete_model", "ModelName"),
    Kind.STACK: remove_stack,
    Kind.MODEL_PACKAGE: calling("sagemaker", "delete_model_package", "ModelPackageName"),
    Kind.MODEL_PACKAGE_GROUP: remove_group,
    Kind.BUCKET: remove_bucket,
    Kind.TABLE: remove_table,
    Kind.QUEUE: calling("sqs", "delete_queue", "QueueUrl"),
    Kind.LOG_GROUP: calling("logs", "delete_log_group", "logGroupName"),
    Kind.KEY: calling("kms", "schedule_key_deletion", "KeyId", PendingWindowInDays=KEY_WINDOW_DAYS),
}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(teardown)
