"""What the layer of dependencies keeps is what functions call."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.session import Session

ROOT = Path(__file__).parents[2]
KEPT = (ROOT / "dependencies" / "services.txt").read_text(encoding="utf-8").split()


def clients(code: str) -> Iterator[str | None]:
    """The service of each client that code makes; None where it does not stand there as text.

    A function that only hands a service on, such as `_client(service)`, is looked at where it is called.
    """
    module = ast.parse(code)
    handed_on = {
        id(call)
        for each in ast.walk(module)
        if isinstance(each, ast.FunctionDef) and each.name.endswith("client")
        for call in ast.walk(each)
    }
    for each in ast.walk(module):
        if isinstance(each, ast.Call) and named(each.func).endswith("client") and id(each) not in handed_on:
            [service, *_] = each.args
            yield service.value if isinstance(service, ast.Constant) else None


def named(function: ast.expr) -> str:
    return {ast.Attribute: getattr(function, "attr", ""), ast.Name: getattr(function, "id", "")}.get(type(function), "")


def test_the_layer_keeps_what_botocore_knows_of_every_service_that_functions_call_and_of_no_other() -> None:
    files = (ROOT / "functions").rglob("*.py")
    called = {service for file in files for service in clients(file.read_text(encoding="utf-8"))}
    assert sorted(map(str, called)) == KEPT


def test_what_the_layer_keeps_are_services_of_botocore() -> None:
    assert set(KEPT) <= set(Session().get_available_services())


@pytest.mark.parametrize(
    ("code", "services"),
    [
        ("boto3.client('s3', config=C)", ["s3"]),
        ("def _client(service):\n    return boto3.client(service)\n_client('sns')", ["sns"]),
        ("session.client(name)", [None]),
        ("connect('s3')", []),
    ],
)
def test_a_client_is_found_by_the_service_it_is_made_for(code: str, services: list[str | None]) -> None:
    assert list(clients(code)) == services
