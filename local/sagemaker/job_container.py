"""What the containers of all jobs have in common: what they see of the machine, and how they run what they are for."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from local.children import Location, clean_environment

ISOLATED = "LAPTOP_NETWORK_ISOLATION"
"""Set in the environment of a container without a network."""
_SITE = Path(__file__).parent / "container_site"
_OPT_ML = re.compile(r"(?<![\w./-])/opt/ml(?![\w.-])")
_OF_THE_NETWORK = ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def located(value: Any, base: Path) -> Any:
    """JSON with every /opt/ml in its texts replaced by the directory that stands for it; addresses stay as they are."""
    if isinstance(value, str):
        return _OPT_ML.sub(lambda _: str(base), value)
    if isinstance(value, Mapping):
        return {key: located(item, base) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [located(item, base) for item in value]
    return value


def environment(location: Location, base: Path, given: Mapping[str, str], *, isolated: bool) -> dict[str, str]:
    """The variables of a container: the machine's, less what only a network is good for, and the job's own.

    Args:
        location: of the services.
        base: directory that stands for /opt/ml.
        given: variables of the job.
        isolated: whether the job is to have no network, and thereby neither services nor credentials.
    """
    values = clean_environment(location)
    if isolated:
        values = {name: value for name, value in values.items() if name not in _OF_THE_NETWORK} | {ISOLATED: "1"}
    packages, own = values["PYTHONPATH"], located(given, base)
    values |= own
    values["PYTHONPATH"] = python_path(own.get("PYTHONPATH", ""), packages)
    values["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), values["PATH"]])  # its python3 is ours
    return values


def python_path(*entries: str) -> str:
    """A PYTHONPATH for a container; what is to run first in every Python of it comes first."""
    return os.pathsep.join([str(_SITE), *filter(None, entries)])


def run(command: Sequence[str], directory: Path, variables: Mapping[str, str]) -> int:
    """Exit status of a command; a signal to end goes to it too, and what it writes meanwhile counts."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: None)  # the whole group gets it; the command decides
    return subprocess.Popen(command, cwd=directory, env=dict(variables)).wait()
