"""`fraud redeploy`: on this machine what `sam build && sam deploy` is on AWS."""

from pathlib import Path

import typer

from cli import console
from cli.errors import CommandError
from cli.options import AsJson
from cli.stack_name import require_short
from cli.target import Target, addressed
from cli.up import Parameters, Template, pair

EPILOG = """[bold]Examples[/bold]

  fraud redeploy

  fraud redeploy --template ../other-tree/template.yaml --parameter LogLevel=DEBUG

Updates the stack that `fraud up` serves to the tree of the template, while traffic goes on; parameters that are not
given stay as they are. A stack that was removed is created anew. Code runs from the tree, so keep it where it is."""


@addressed
def redeploy(
    target: Target, template: Template = Path("template.yaml"), parameters: Parameters = None, as_json: AsJson = False
) -> None:
    """Update the stack on this machine, or create it again."""
    require_laptop(target)
    require_short(target.stack_name)
    if not template.is_file():
        raise CommandError(f"No template at {template}: run this in the project's directory or pass --template.")
    from local.deployment import Place, Request, redeploy

    place = Place(target.client, target.endpoint_url or "", target.session.region_name)
    request = Request(template, target.stack_name, dict(pair(each) for each in parameters or ()))
    with console.working("Deploying"):
        deployed = redeploy(place, request)
    if as_json:
        console.write_json({"changed": deployed.changed, "outputs": deployed.outputs, "left_out": deployed.left_out})
        return
    console.say(f"[green]{target.stack_name} is deployed.[/]" if deployed.changed else "Nothing has changed.")
    if deployed.left_out:
        console.say(f"[yellow]Not on this machine[/]: {', '.join(deployed.left_out)}")


def require_laptop(target: Target) -> None:
    """Raises: CommandError."""
    if not target.on_laptop:
        raise CommandError(
            f"{target.stack_name} is not on this machine: start it here with `fraud up`, or deploy to AWS with "
            "`sam build && sam deploy`."
        )


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(redeploy)
