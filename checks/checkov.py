"""Whether checkov finds nothing in the translated template but what checks/checkov.yaml skips, with a reason each.

`python -m checks.checkov COMMAND`, COMMAND being where checkov is installed, exits with what is wrong, if anything is:
a finding without a skip, a skip that nothing needs any more, or a skip without a reason. checkov asks nothing of a
network, and reads no configuration but the options below.

Errors:
    CannotTell: checkov has not looked, or not at everything.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec

from checks.translation import translate
from local import conditions

SKIPS = Path(__file__).with_suffix(".yaml")
OPTIONS = ("--framework", "cloudformation", "--output", "json", "--compact", "--skip-download")
FOUND_NOTHING, FOUND_SOMETHING = 0, 1
DEPLOYMENTS: Sequence[Mapping[str, str]] = (
    {},
    {
        "Profile": "production",
        "ConfigRules": "ENABLED",
        "ConfigRecorder": "ENABLED",
        "EnhancedFanOut": "ENABLED",
        "MonthlyBudgetUsd": "1",
        "AlarmEmail": "somebody@example.com",
    },
)
"""Parameters under which each resource of the template stands at least once; checkov passes over those that do not."""

Sentence = Annotated[str, msgspec.Meta(pattern=r"^\S+( \S+){4,}\.$")]


class Finding(NamedTuple):
    """A check that failed, by its id, and the logical id of the resource that failed it."""

    check: str
    resource: str

    def __str__(self) -> str:
        return f"{self.check} {self.resource}"


class Skip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Resources of which a check's finding is accepted, and why."""

    check: str
    resources: tuple[str, ...]
    reason: Sentence


class CannotTell(Exception):
    """checkov has not looked, or not at everything."""


def read_skips(text: str) -> list[Skip]:
    """The skips of a document.

    Raises:
        msgspec.ValidationError: one has no reason, which is a sentence of five words at least, or another field.
    """
    return msgspec.yaml.decode(text, type=list[Skip])


def report(command: Path, template: Mapping[str, Any]) -> dict[str, Any]:
    """What checkov says of a template.

    Raises:
        CannotTell: it ended otherwise than with findings or without.
    """
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "template.json")
        file.write_text(json.dumps(template, indent=2), encoding="utf-8")
        # Neither the working directory, nor the home, nor the environment holds options of its own.
        done = subprocess.run(
            [command, "--file", file, *OPTIONS],
            cwd=directory,
            env={"HOME": directory, "PATH": os.defpath},
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode not in (FOUND_NOTHING, FOUND_SOMETHING):
        raise CannotTell(done.stderr or done.stdout)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def findings(said: Mapping[str, Any], template: Mapping[str, Any]) -> dict[Finding, str]:
    """What each finding of a report is called.

    Raises:
        CannotTell: a resource was not read, or the template itself hides a finding.
    """
    results = said.get("results", {})
    passed, failed = results.get("passed_checks", ()), results.get("failed_checks", ())
    if results.get("parsing_errors") or not passed or said["summary"]["resource_count"] < len(template["Resources"]):
        raise CannotTell("checkov has not read all of the template")
    if hidden := [each["resource"] for each in results["skipped_checks"]]:
        raise CannotTell(f"skips stand in {SKIPS.name}, not in the template: {', '.join(hidden)}")
    return {Finding(each["check_id"], each["resource"].rpartition(".")[2]): each["check_name"] for each in failed}


def complaints(found: Mapping[Finding, str], skips: Iterable[Skip]) -> list[str]:
    """A line for each finding that is not skipped, and for each skip that is not needed."""
    skipped = Counter(Finding(each.check, resource) for each in skips for resource in each.resources)
    twice = [each for each, times in skipped.items() if times > 1]
    return [
        *(f"{each}: {found[each]}" for each in sorted(found.keys() - skipped.keys())),
        *(f"{each}: skipped, but not found" for each in sorted(skipped.keys() - found.keys())),
        *(f"{each}: skipped twice" for each in sorted(twice)),
    ]


def deployed(template: Mapping[str, Any], parameters: Mapping[str, str]) -> dict[str, Any]:
    """The template without conditions, as it stands under values of its parameters."""
    resources = conditions.resources(template, parameters)
    return {**{name: part for name, part in template.items() if name != "Conditions"}, "Resources": resources}


def wrong(
    command: Path, template: Mapping[str, Any], skips: str, deployments: Sequence[Mapping[str, str]] = DEPLOYMENTS
) -> Sequence[str]:
    """All that keeps the check from passing."""
    found: dict[Finding, str] = {}
    try:
        for parameters in deployments:
            each = deployed(template, parameters)
            found |= findings(report(command, each), each)
        return complaints(found, read_skips(skips))
    except (CannotTell, msgspec.ValidationError) as error:
        return [str(error)]


def main(command: Path) -> int:
    said = wrong(command, translate(), SKIPS.read_text(encoding="utf-8"))
    print(*said, sep="\n")
    return 1 if said else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
