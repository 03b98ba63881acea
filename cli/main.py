"""Assembles the `fraud` command from its rooms; every expected failure ends as one red line."""

from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperGroup

from cli import (
    backtest,
    console,
    demo,
    deploy,
    explain,
    labels,
    models,
    monitor,
    outputs,
    policy,
    quarantine,
    redeploy,
    retraining,
    rollout,
    score,
    send,
    states,
    status,
    teardown,
    train,
    tune,
    up,
)
from cli.errors import CommandError

PURPOSE = "Real-time fraud detection: one decision per transaction, with reasons."
BEGIN = {
    "fraud demo": "the whole thing on this machine, in minutes",
    "fraud up": "the stack on this machine, until Ctrl-C",
    "fraud send --simulate 20000": "transactions in",
    "fraud explain TRANSACTION_ID": "why one was decided as it was",
    "fraud rollout start": "the next model in, step by step",
}
# Their texts are sentences for the operator; their modules are not loaded just to ask.
SAYS_WHAT_TO_DO = ("fraud.errors", "local.deployment")


class Commands(TyperGroup):
    """Runs a command and turns expected failures into a sentence and exit code 1."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The home screen; typer's own would take twice as long to appear."""
        names = self.list_commands(ctx)
        commands = {name: self.commands[name].get_short_help_str(limit=200) for name in names}
        show_home(commands)

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


def show_home(commands: Mapping[str, str]) -> None:
    """What there is, and where to begin."""
    out = console.stdout()
    out.print(f"\n[bold]fraud[/] COMMAND [OPTIONS]\n\n{PURPOSE}\n", highlight=False, markup=True)
    out.print(console.table_of("Commands", commands))
    out.print()
    out.print(console.table_of("Begin here", BEGIN))
    out.print("\n[dim]Each command has --help with examples.[/]", highlight=False)


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
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback()
def fraud() -> None:
    pass


ROOMS = (
    demo, up, redeploy, outputs, send, score, labels, train, backtest, tune, deploy, models, retraining, rollout,
    monitor, policy, status, explain, quarantine, states, teardown,
)  # fmt: skip
for room in ROOMS:
    room.register(app)


def run() -> None:
    """The entry point of the installed command."""
    app()


if __name__ == "__main__":
    run()
