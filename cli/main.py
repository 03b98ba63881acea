"""Assembles the `fraud` command from its rooms; every expected failure ends as one red line."""

from typing import Any

import typer
from typer.core import TyperGroup

from cli import console, demo, deploy, explain, labels, outputs, quarantine, send, status, teardown, train, up
from cli.errors import CommandError

EPILOG = """[bold]Begin here[/bold]

  fraud demo                        the whole thing on this machine, in four minutes

  fraud up --port 4566              the stack on this machine, until Ctrl-C

  fraud send --simulate 20000       transactions in

  fraud explain TRANSACTION_ID      why one was decided as it was"""


# Their texts are sentences for the operator; their modules are not loaded just to ask.
SAYS_WHAT_TO_DO = ("fraud.errors", "local.deployment")


class Commands(TyperGroup):
    """Runs a command and turns expected failures into a sentence and exit code 1."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command. Raises: typer.Exit."""
        try:
            return super().invoke(ctx)
        except Exception as error:
            sentence = explanation(error)
            if sentence is None:
                raise
            console.report_error(sentence)
            raise typer.Exit(1) from error


def explanation(error: Exception) -> str | None:
    """What to tell the operator; None for what nobody expected."""
    if isinstance(error, CommandError) or type(error).__module__ in SAYS_WHAT_TO_DO:
        return str(error)
    if type(error).__module__.startswith("botocore"):
        return aws_explanation(error)
    if isinstance(error, FileNotFoundError):
        return f"No such file: {error.filename}"
    return None


def aws_explanation(error: Exception) -> str | None:
    """An answer of AWS, or the lack of one, in words."""
    from botocore import exceptions

    if isinstance(error, (exceptions.NoCredentialsError, exceptions.PartialCredentialsError)):
        return "No AWS credentials: run `aws configure`, pass --profile, or start a stack here with `fraud up`."
    if isinstance(error, (exceptions.EndpointConnectionError, exceptions.ConnectionError, exceptions.HTTPClientError)):
        return f"{error} Is the stack up? Start one here with `fraud up`, or check --endpoint-url and --region."
    if isinstance(error, exceptions.ClientError):
        return f"AWS refused {error.operation_name}: {error.response.get('Error', {}).get('Message') or error}"
    return str(error) if isinstance(error, exceptions.BotoCoreError) else None


app = typer.Typer(
    name="fraud",
    cls=Commands,
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def fraud() -> None:
    """Real-time fraud detection: one decision per transaction, with reasons."""


for room in (demo, up, outputs, send, labels, train, deploy, status, explain, quarantine, teardown):
    room.register(app)


def run() -> None:
    """The entry point of the installed command."""
    app()


if __name__ == "__main__":
    run()
