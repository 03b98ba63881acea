"""Composes the corrections of the engine."""

from local.state_machines import paths
from local.state_machines.runs import Runs
from local.state_machines.tasks import Tasks
from local.state_machines.tokens import Tokens


def install() -> None:
    tokens = Tokens()
    tokens.install()
    Tasks(tokens).install()
    Runs().install()
    paths.install()
