"""What is granted against what is needed, both ways."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.permissions import derived
from tests.permissions.granted import Grant, Need, Resources, grants
from tests.permissions.recording import RECORDED

UNREACHED = Path(__file__).parent / "unreached_calls.jsonl"


def recorded() -> set[Need]:
    """Calls that the end-to-end tests were seen to make."""
    return {Need(*json.loads(line)) for line in RECORDED.read_text(encoding="utf-8").splitlines()}


def unreached() -> dict[Need, str]:
    """Calls that no end-to-end test leads to, and the test that makes each."""
    lines = [json.loads(line) for line in UNREACHED.read_text(encoding="utf-8").splitlines()]
    return {Need(role, action, resource): test for role, action, resource, test in lines}


def needed(resources: Resources) -> set[Need]:
    known = {slot for need in recorded() | unreached().keys() for slot in _in_both_slots(need)}
    known |= derived.derived(resources) | set(derived.in_callers_names(known))
    return known | set(derived.through_services(resources, known))


def _in_both_slots(need: Need) -> Iterator[Need]:
    """What is done to one slot is done to the other when its turn comes."""
    for slot in "ab":
        yield need._replace(resource=re.sub(r"(\$\{AWS::StackName\})-[ab]\b", rf"\1-{slot}", need.resource))


def differences(resources: Resources, needs: Iterable[Need]) -> list[str]:
    """What is granted and not needed, and what is needed and not granted: a line for each."""
    needs, granted = set(needs), grants(resources)
    missing = [f"{each.role}: too little: {each.action} on {each.resource}" for each in _missing(needs, granted)]
    return sorted(
        {*missing, *(f"{each.role}: too much: {each.action} on {each.resource}" for each in _idle(needs, granted))}
    )


def _missing(needs: set[Need], granted: list[Grant]) -> Iterator[Need]:
    """A request that names no resource, as a task's token does not, is held by whatever resource is granted."""
    held = {each.need for each in granted}
    acting = {(each.role, each.action) for each in granted}
    for need in needs - held:
        if need.resource != "*" or (need.role, need.action) not in acting:
            yield need


def _idle(needs: set[Need], granted: list[Grant]) -> Iterator[Grant]:
    """Grants that nothing uses.

    A statement of several actions and kinds of resources also pairs those that do not go together, as the creation of
    a model with an endpoint. Such a pair is nothing to AWS, if both of it are used in the statement with others.
    """
    used: dict[int, set[str]] = defaultdict(set)
    kinds: dict[tuple[str, str], set[str]] = defaultdict(set)
    for need in needs:
        kinds[need.role, need.action].add(_kind(need.resource))
    for grant in granted:
        if _is_used(grant, needs, kinds):
            used[grant.statement] |= {grant.action, grant.resource}
    for grant in granted:
        foreign = _kind(grant.resource) not in kinds[grant.role, grant.action]
        paired = foreign and {grant.action, grant.resource} <= used[grant.statement]
        if not paired and not _is_used(grant, needs, kinds):
            yield grant


def _is_used(grant: Grant, needs: set[Need], kinds: dict[tuple[str, str], set[str]]) -> bool:
    return grant.need in needs or "*" in kinds[grant.role, grant.action]


def _kind(resource: str) -> str:
    """A kind of resource: the ARN's service and type, the service that a key is used through, or whether it is S3's."""
    if resource == "*" or resource.startswith("DataKey via "):
        return resource
    head, separator, _ = resource.partition("/")
    return f"{head}{separator}" if ":" in head else ("object" if separator else "resource")
