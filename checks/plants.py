"""Whether the checks find what they are for: faults, planted into a copy, turn red the checks that are to catch them.

`python -m checks.plants` names for each fault the check that caught it, and fails if one was not caught. Faults are
planted together, for the checks take long; each has a test or a rule that tells of it and of no other.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
COPIED = (
    *("template.yaml", "pyproject.toml"),
    *("checks", "dependencies", "docs", "functions", "model", "state_machines", "tests"),
)
PYTEST = (sys.executable, "-m", "pytest", "--quiet", "--tb=no", "-p", "no:cacheprovider")
LINT = "cfn-lint"
SECONDS = 120


class NotPlanted(Exception):
    """A fault has no place any more; says which."""


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault, and the check that is to catch it.

    Args:
        fault: in words.
        file: that it is planted into.
        found: what stands there once at least; the first is taken.
        planted: what stands there instead.
        check: a file of tests/, or `cfn-lint`.
        told: what a red check says: the test that failed, or a rule of cfn-lint.
    """

    fault: str
    file: str
    found: str
    planted: str
    check: str
    told: str


WILDCARD = "test_roles_only_allow_and_name_actions"
ENCRYPTION = "test_every_resource_that_keeps_data_names_the_data_key"
DROPPED = "test_every_queue_for_what_failed_has_an_alarm_on_what_lies_in_it"
TIMEOUT = "test_every_function_says_how_long_it_may_take"
RENAMED = "test_every_alarm_on_a_metric_of_ours_names_one_that_is_published_with_its_dimensions"
PRUNED = "test_the_layer_keeps_what_botocore_knows_of_every_service_that_functions_call_and_of_no_other"

PLANTS = (
    Plant(
        fault="a wildcard for an action",
        file="template.yaml",
        found="              - Effect: Allow\n                Action: dynamodb:BatchGetItem\n",
        planted="              - Effect: Allow\n                Action: dynamodb:*\n",
        check="tests/permissions/test_least_privilege.py",
        told=WILDCARD,
    ),
    Plant(
        fault="a queue that is not encrypted",
        file="template.yaml",
        found="  LabelDeadLetterQueue:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: RetainExceptOnCreate\n"
        "    UpdateReplacePolicy: Retain\n    Properties:\n      KmsMasterKeyId: !GetAtt DataKey.Arn\n",
        planted="  LabelDeadLetterQueue:\n    Type: AWS::SQS::Queue\n    Properties:\n",
        check="tests/template/test_encryption.py",
        told=ENCRYPTION,
    ),
    Plant(
        fault="a dead-letter queue whose alarm looks at another",
        file="template.yaml",
        found="Value: !GetAtt EventDeadLetterQueue.QueueName",
        planted="Value: !GetAtt LabelDeadLetterQueue.QueueName",
        check="tests/template/test_watched_metrics.py",
        told=DROPPED,
    ),
    Plant(
        fault="a function without a timeout",
        file="template.yaml",
        found="      Timeout: 60\n",
        planted="",
        check="tests/template/test_functions.py",
        told=TIMEOUT,
    ),
    Plant(
        fault="a metric that is published under another name",
        file="functions/fraud/aws/metrics.py",
        found='"Quarantined"',
        planted='"SetAside"',
        check="tests/template/test_watched_metrics.py",
        told=RENAMED,
    ),
    Plant(
        fault="a client of a service that the layer does not know",
        file="functions/fraud/retraining_bootstrap.py",
        found='_client("stepfunctions")',
        planted='_client("glue")',
        check="tests/template/test_dependencies.py",
        told=PRUNED,
    ),
    Plant(
        fault="a property that the type does not have",
        file="template.yaml",
        found="    Type: AWS::KMS::Alias\n    Properties:\n",
        planted="    Type: AWS::KMS::Alias\n    Properties:\n      Rotates: true\n",
        check=LINT,
        told="E3002",
    ),
    Plant(
        fault="a type that does not exist",
        file="template.yaml",
        found="    Type: AWS::SNS::Topic\n",
        planted="    Type: AWS::SNS::Subject\n",
        check=LINT,
        told="E3006",
    ),
)


def plant(faults: Iterable[Plant], directory: Path) -> None:
    """Copy what the checks read into a directory, and plant the faults there.

    Raises:
        NotPlanted: the place of one is gone.
    """
    for name in COPIED:
        source, target = ROOT / name, directory / name
        _ = shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    for each in faults:
        file = directory / each.file
        text = file.read_text(encoding="utf-8")
        if each.found not in text:
            raise NotPlanted(f"{each.fault}: {each.file} has no {each.found!r}")
        file.write_text(text.replace(each.found, each.planted, 1), encoding="utf-8")


def commands(faults: Iterable[Plant]) -> list[Sequence[str]]:
    """What runs the tests of some faults, or cfn-lint: one command after the other."""
    tests = [f"{each.check}::{each.told}" for each in faults if each.check != LINT]
    if tests:
        return [(*PYTEST, *tests)]
    translated = "build/translated.json"
    lint = str(Path(sys.executable).with_name(LINT))
    return [(sys.executable, "-m", "checks.translation", translated), (lint, translated)]


def said(faults: Sequence[Plant]) -> str:
    """What the checks of faults say where the faults are planted; nothing, if all are green."""
    with tempfile.TemporaryDirectory() as directory:
        plant(faults, Path(directory))
        for command in commands(faults):
            done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=SECONDS, check=False)
            if done.returncode:
                return done.stdout
    return ""


def told(each: Plant, output: str) -> bool:
    """Whether an output tells of the fault: that its test failed, or its rule."""
    line = rf"^FAILED {re.escape(each.check)}::{each.told}\b" if each.check != LINT else rf"^{each.told} "
    return re.search(line, output, re.MULTILINE) is not None


def main() -> int:
    groups = [[each for each in PLANTS if (each.check == LINT) == lint] for lint in (True, False)]
    with ThreadPoolExecutor(len(groups)) as pool:
        outputs = pool.map(said, groups)
    missed = 0
    for group, output in zip(groups, outputs, strict=True):
        for each in group:
            missed += not told(each, output)
            print(f"{each.fault}: {'' if told(each, output) else 'NOT '}caught by {each.check}, {each.told}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
