"""The pages for people on call and in charge say what is there: every alarm, commands that exist, numbers measured."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from botocore import xform_name
from botocore.session import Session

from checks.translation import read_template
from cli.main import app
from fraud.aws.entity_items import STATE_VERSION
from fraud.features import DEFINITION_VERSION
from fraud.transaction import SCHEMA_VERSION
from model.package_json import SCHEMA_VERSION as PACKAGE_VERSION

DOCS = Path(__file__).parents[2] / "docs"
HOURS_OF_PROFILES = (
    r"After (?P<minimal>\d+) hours in the minimal profile, (?P<production>\d+) in production, Lambda\s+gives them up",
    r"gave up transactions, after (?P<minimal>\d+) hours in the minimal profile, (?P<production>\d+) in production",
)
PAGES = ("runbook.md", "operations.md", "claims.md", "observability.md", "migrate-from-amazon-fraud-detector.md")
PARTS = ("Means", "At stake", "Look first", "Mend", "Over when")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
WORDS_OF_THE_CLI_ITSELF = {("aws", "logs", "tail"), ("aws", "s3", "ls"), ("aws", "s3", "cp"), ("aws", "s3", "sync")}
"""Commands of the AWS CLI that are no operations of an API."""
GLOBAL_OPTIONS = {"query", "output", "profile", "region"}
USAGE_ERROR: Any = typer.BadParameter.mro()[1]
"""What typer raises for everything that it does not understand; it has no public name of its own."""


def text(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


def sections(page: str) -> dict[str, str]:
    """What stands under each heading of the second level, by the heading."""
    _, *rest = re.split(r"^## ", text(page), flags=re.MULTILINE)
    return dict(each.split("\n", 1) for each in rest)


def alarms() -> list[str]:
    """Logical ids of the template's alarms, in its order."""
    return [name for name, each in read_template()["Resources"].items() if each["Type"].endswith("Alarm")]


RUNBOOK = {name: body for name, body in sections("runbook.md").items() if name.endswith("Alarm")}


def commands(page: str, program: str) -> Iterator[str]:
    """Every command line of a program that a page quotes, inline or in a block, without its comment."""
    whole = text(page)
    inline = re.findall(rf"(?<!`)`({program} [^`]+)`", FENCE.sub("", whole))
    blocks = "\n".join(FENCE.findall(whole)).replace("\\\n", " ")
    yield from inline
    yield from re.findall(rf"^ *({program} .+)$", blocks, re.MULTILINE)


QUOTED = [(page, line) for page in PAGES for line in dict.fromkeys(commands(page, "fraud"))]
QUOTED_OF_AWS = [(page, line) for page in PAGES for line in dict.fromkeys(commands(page, "aws"))]


def test_runbook_has_one_section_for_each_alarm_in_the_order_of_the_template() -> None:
    assert list(RUNBOOK) == alarms()


def test_anchor_that_an_alarm_links_is_its_sections() -> None:
    assert {name.lower() for name in alarms()} <= set(anchors(text("runbook.md")))


@pytest.mark.parametrize("alarm", RUNBOOK)
def test_section_of_an_alarm_says_everything_in_order(alarm: str) -> None:
    said = re.findall(r"^- \*\*(.+?)\.\*\*\s+(\S.*)$", RUNBOOK[alarm], re.MULTILINE)
    assert [name for name, _ in said] == list(PARTS)


@pytest.mark.parametrize("alarm", RUNBOOK)
def test_first_look_at_an_alarm_is_a_command(alarm: str) -> None:
    look = RUNBOOK[alarm].split("**Look first.**")[1].split("**Mend.**")[0]
    assert re.search(r"`(fraud|aws) ", look)


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][A-Za-z]+)+)`", text("runbook.md")))))
def test_name_in_the_runbook_is_one_of_the_template(name: str) -> None:
    assert re.search(rf"\b{name}\b", (DOCS.parent / "template.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES)
def test_logical_id_that_a_command_looks_up_is_one_of_the_stack(page: str) -> None:
    asked = re.findall(r"\$\(of (\w+)\)", text(page))
    assert not set(asked) - set(logical_ids())


def logical_ids() -> Iterator[str]:
    """Of resources as written, and of the event sources that SAM makes of a function's events."""
    for name, each in read_template()["Resources"].items():
        yield name
        yield from (name + event for event in each["Properties"].get("Events", {}))


@pytest.mark.parametrize(("page", "line"), QUOTED)
def test_quoted_command_of_ours_is_understood(page: str, line: str) -> None:
    assert refusal(line) is None


def test_command_that_does_not_exist_is_refused() -> None:
    assert refusal("fraud rollout undo") is not None
    assert refusal("fraud status --quickly") is not None
    assert refusal("fraud explain") is not None


@pytest.mark.parametrize(("page", "line"), QUOTED_OF_AWS)
def test_quoted_command_of_aws_is_one_of_its_operations(page: str, line: str) -> None:
    assert refusal_of_aws(line) is None


def test_command_that_aws_does_not_have_is_refused() -> None:
    assert refusal_of_aws("aws lambda pause-event-source-mapping --uuid U") is not None
    assert refusal_of_aws("aws lambda update-event-source-mapping --id U") is not None


LINKS = [(page, *link) for page in PAGES for link in re.findall(r"\]\((?!https)([^)#]*)#?([^)]*)\)", text(page))]


@pytest.mark.parametrize(("page", "file", "anchor"), dict.fromkeys(LINKS))
def test_link_leads_somewhere(page: str, file: str, anchor: str) -> None:
    target = DOCS / (file or page)
    assert target.exists()
    assert not anchor or anchor in anchors(target.read_text(encoding="utf-8"))


def anchors(page: str) -> list[str]:
    """Of every heading, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]


@pytest.mark.parametrize(
    "version",
    [
        f"`schema_version` of transactions and labels, {SCHEMA_VERSION}",
        f"`STATE_VERSION` of cards and terminals, {STATE_VERSION}",
        f"`DEFINITION_VERSION` of features, {DEFINITION_VERSION}",
        f"`schema_version` of `package.json`, {PACKAGE_VERSION}",
    ],
)
def test_version_that_an_upgrade_must_mind_is_that_of_the_code(version: str) -> None:
    assert f"\n| {version} |" in text("operations.md")


NUMBER = re.compile(r"\.?\d(?:[\d,.]*\d)?")
MEASURED = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in text("claims.md").splitlines()
    if line.startswith("| ") and "](" in line
]


@pytest.mark.parametrize("row", MEASURED, ids=[row[0] for row in MEASURED])
def test_number_that_we_claim_stands_on_the_page_it_comes_from(row: list[str]) -> None:
    _, measured, _, source = row
    pages = "\n".join(text(page) for page in re.findall(r"\]\(([a-z.-]+\.md)", source))
    missing = [number for number in NUMBER.findall(measured) if not stands(number, pages)]
    assert not missing


def test_every_claim_is_measured_somewhere_or_not_measured() -> None:
    rows = [line for line in text("claims.md").splitlines() if re.match(r"\| (?!claim|---)", line)]
    assert rows
    assert all(("](" in line) != ("not measured" in line) for line in rows)


def stands(number: str, pages: str) -> bool:
    """Whether a number is there as it is, not as a part of another."""
    return re.search(rf"(?<![\d.,]){re.escape(number)}(?![\d]|[.,]\d)", pages) is not None


def refusal(line: str) -> str | None:
    """Why the command line would not be understood; None if it is."""
    command: Any = whole_command()
    words = shlex.split(line, comments=True)[1:]
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    if hasattr(command, "commands") and (words or not command.invoke_without_command):
        return f"{line}: which command?"
    try:
        command.make_context("fraud", words)
    except USAGE_ERROR as error:
        return f"{line}: {error}"
    return None


whole_command = cache(lambda: typer.main.get_command(app))


def refusal_of_aws(line: str) -> str | None:
    """Why the AWS CLI would not know the operation or an option; None if it does."""
    words = shlex.split(line, comments=True)
    if tuple(words[:3]) in WORDS_OF_THE_CLI_ITSELF:
        return None
    _, service, operation, *rest = words
    members = options_of(service).get(operation)
    if members is None:
        return f"{service} has no {operation}"
    given = {word[2:] for word in rest if word.startswith("--")}
    unknown = {each for each in given if each not in members and each.removeprefix("no-") not in members}
    return f"{operation} has no {', '.join(sorted(unknown))}" if unknown - GLOBAL_OPTIONS else None


@cache
def options_of(service: str) -> dict[str, frozenset[str]]:
    """Options of every operation of a service, as the AWS CLI spells them."""
    model = Session().get_service_model(service.removesuffix("api"))
    inputs = {name: model.operation_model(name).input_shape for name in model.operation_names}
    return {
        xform_name(name, "-"): frozenset(xform_name(member, "-") for member in (shape.members if shape else ()))
        for name, shape in inputs.items()
    }


@pytest.mark.parametrize("sentence", HOURS_OF_PROFILES)
def test_hours_until_transactions_are_given_up_are_those_of_the_profiles(sentence: str) -> None:
    found = re.search(sentence, text("runbook.md"))
    assert found is not None
    profiles = read_template()["Mappings"]["Profiles"]
    assert {name: int(hours) * 3_600 for name, hours in found.groupdict().items()} == {
        name: each["LongestRecordAge"] for name, each in profiles.items()
    }


def test_hours_that_the_stream_keeps_transactions_are_those_of_the_profiles() -> None:
    profiles = read_template()["Mappings"]["Profiles"]
    assert (profiles["minimal"]["RetentionHours"], profiles["production"]["RetentionHours"]) == (24, 7 * 24)
    words = r"has them for 24 hours from their arrival in the minimal profile, for\s+seven days in production"
    assert re.search(words, text("runbook.md"))
