"""`fraud outputs`: the names of what the stack made."""

import typer

from cli import console
from cli.options import AsJson
from cli.target import Target, addressed

EPILOG = """[bold]Examples[/bold]

  fraud outputs

  fraud outputs --json | jq -r .TransactionStreamName"""


def described(target: Target) -> dict[str, str | None]:
    """The stack's outputs, with where it is."""
    return dict(sorted(target.outputs.items())) | {
        "EndpointUrl": target.endpoint_url,
        "Region": target.session.region_name,
    }


@addressed
def outputs(target: Target, as_json: AsJson = False) -> None:
    """Show the stack's outputs, its region and its endpoint URL (none on AWS)."""
    values = described(target)
    if as_json:
        console.write_json(values)
    else:
        console.stdout().print(console.table_of(f"Stack {target.stack_name}", values))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(outputs)
