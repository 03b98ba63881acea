"""A processing job's container: its entrypoint and arguments as they are.

Run as `python -m local.sagemaker.processing_container <lifeline> <base directory> <command...>`; the base directory
stands for /opt/ml, and is where the command begins.
"""

import os
import sys
from pathlib import Path

from local import lifeline
from local.sagemaker.job_container import run

_NOT_FOUND = 127


def main(arguments: list[str]) -> int:
    lifeline.watch(int(arguments[0]))
    try:
        return run(arguments[2:], Path(arguments[1]), os.environ)
    except OSError as error:
        print(f"The entrypoint does not start: {error}", file=sys.stderr)
        return _NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
