"""`fraud up`: the whole stack on this machine, until it is told to stop."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import console
from cli.errors import CommandError
from cli.stack_name import require_short
from cli.target import DEFAULT_STACK, LOCAL_FILE, Target, running_laptop

EPILOG = """[bold]Examples[/bold]

  fraud up

  fraud up --port 4600 --stack-name fraud-experiment

  fraud up --parameter 'RolloutPlan={"bake_seconds": 30, "shadow_seconds": 30, "soak_seconds": 30}'

Then, in another shell of the same directory, every other command finds it by itself; boto3 and the AWS CLI
are pointed at it with AWS_ENDPOINT_URL."""

Port = Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free one.", min=0, max=65535)]
Template = Annotated[Path, typer.Option(help="The SAM template to deploy.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option("--parameter", metavar="NAME=VALUE", help="A parameter of the template; may be given several times."),
]
WithoutModelMonitor = Annotated[
    bool, typer.Option("--without-model-monitor", help="Refuse SageMaker Model Monitor, as AWS does new customers.")
]
Stack = Annotated[str, typer.Option(envvar="FRAUD_STACK_NAME", help="What to call the stack.")]


def up(
    port: Port = 4566,
    template: Template = Path("template.yaml"),
    stack_name: Stack = DEFAULT_STACK,
    parameters: Parameters = None,
    without_model_monitor: WithoutModelMonitor = False,
) -> None:
    """Serve the stack from template.yaml on this machine until Ctrl-C."""
    require_short(stack_name)
    _check(template)
    values = dict(pair(each) for each in parameters or ())
    from local.laptop import serve

    try:
        serve(port, template, stack_name, _announcer(stack_name), values, model_monitor=not without_model_monitor)
    except OSError as error:
        raise CommandError(
            f"Port {port} cannot be used ({error.strerror or error}): take another with --port."
        ) from error
    finally:
        forget()


def pair(given: str) -> tuple[str, str]:
    """A parameter as given on the command line. Raises: typer.BadParameter."""
    name, equals, value = given.partition("=")
    if not name or not equals:
        raise typer.BadParameter(f"{given!r} is not NAME=VALUE")
    return name, value


def _check(template: Path) -> None:
    if not template.is_file():
        raise CommandError(f"No template at {template}: run this in the project's directory or pass --template.")
    running = running_laptop()
    if running is not None:
        raise CommandError(f"A stack already runs here: {running['endpoint_url']} (process {running['pid']}).")


def _announcer(stack_name: str) -> Callable[[Any], None]:
    def announce(ready: Any) -> None:
        target = Target(stack_name, ready.endpoint_url, ready.region)
        remember(target)
        console.stdout().print(_panel(target))
        if ready.left_out:
            console.say(f"[yellow]Not on this machine[/]: {', '.join(ready.left_out)}")

    return announce


def remember(target: Target, local_file: Path = LOCAL_FILE) -> None:
    """Tell other commands in this directory where the stack is."""
    local_file.parent.mkdir(exist_ok=True)
    place = {"endpoint_url": target.endpoint_url, "region": target.region, "stack_name": target.stack_name}
    # Renamed into place, so that a command which polls for it never reads half a file.
    draft = local_file.with_suffix(".tmp")
    draft.write_text(json.dumps(place | {"pid": os.getpid()}))
    draft.replace(local_file)


def forget(local_file: Path = LOCAL_FILE) -> None:
    """Remove the note, unless another process wrote it since."""
    running = running_laptop(local_file)
    if running is None or running["pid"] == os.getpid():
        local_file.unlink(missing_ok=True)


def _panel(target: Target) -> Any:
    from rich.console import Group
    from rich.panel import Panel

    body = Group(
        console.table_of("", dict(sorted(target.outputs.items()))),
        "",
        "[dim]Any AWS client can use it:[/dim]",
        f"  export AWS_ENDPOINT_URL={target.endpoint_url} AWS_DEFAULT_REGION={target.region}",
        "  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test",
        "[dim]Next, in another shell here:[/dim]  fraud send --simulate 20000",
    )
    return Panel(body, title=f"[bold green]{target.stack_name}[/] at {target.endpoint_url}", subtitle="Ctrl-C ends it")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(up)
