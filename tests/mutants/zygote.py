"""Runs the fault tests against mutants, each in a fork of a process that has the heavy libraries loaded.

Reads one request per line from standard input and answers with one line: pytest's exit code and the end of its output.
The mutant is a copy of `functions/` with one text replaced; it takes the place of the original on the path.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any, NoReturn

import aws_lambda_powertools  # noqa: F401
import boto3
import hypothesis.strategies  # noqa: F401
import moto
import msgspec  # noqa: F401
import pytest

ROOT = Path(__file__).parent.parent.parent
BROKEN = 70
LONGEST = 60
"""Seconds after which a fork is ended, should a mutant never end by itself."""


def preload() -> None:
    """Load what libraries load late: moto's services and botocore's descriptions of them."""
    with moto.mock_aws():
        for service in ("dynamodb", "s3", "events", "firehose", "sagemaker-runtime"):
            boto3.client(service, region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")
        boto3.client("dynamodb", "eu-central-1", aws_access_key_id="x", aws_secret_access_key="x").list_tables()


def run(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    mutate(request, folder / "functions")
    output = folder / "output"
    child = os.fork()
    if child == 0:
        run_tests(request["files"], request["tests"], folder / "functions", output)
    _, status = os.waitpid(child, 0)
    return {"exit": os.waitstatus_to_exitcode(status), "output": output.read_text(errors="replace")[-4000:]}


def mutate(request: dict[str, Any], functions: Path) -> None:
    shutil.copytree(ROOT / "functions", functions, ignore=shutil.ignore_patterns("__pycache__"))
    target = functions / request["path"]
    text = target.read_text()
    target.write_text(text.replace(request["old"], request["new"]))


def run_tests(files: list[str], expression: str, functions: Path, output: Path) -> NoReturn:
    """In the fork: run the tests and end."""
    code = BROKEN
    signal.alarm(LONGEST)
    try:
        with output.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.environ["FRAUD_HYPOTHESIS"] = "first"
        sys.dont_write_bytecode = True
        os.chdir(ROOT)
        # pytest wants to rewrite the assertions of hypothesis, which is loaded already.
        arguments = ["-q", "-x", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        arguments += ["-o", f"pythonpath={functions} .", "-k", expression]
        code = int(pytest.main([*arguments, *files]))
    except BaseException:  # noqa: BLE001 - a fork must never go on as its parent
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    preload()
    for line in sys.stdin:
        with tempfile.TemporaryDirectory() as folder:
            sys.stdout.write(json.dumps(run(json.loads(line), Path(folder))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
