"""Composes the corrections of the engine."""

from local.gateway import Gateway
from local.state_machines import paths
from local.state_machines.jobs import Jobs
from local.state_machines.runs import Runs
from local.state_machines.tasks import Tasks
from local.state_machines.tokens import Tokens


def install(gateway: Gateway) -> None:
    tokens = Tokens()
    tokens.install()
    Tasks(tokens, Jobs(gateway)).install()
    Runs().install()
    paths.install()
