"""Which stack a command talks to."""

import json
import os
from pathlib import Path

import pytest

from cli.target import DEFAULT_STACK, Target, resolve, running_laptop

HERE = {"endpoint_url": "http://127.0.0.1:4566", "region": "eu-west-1", "stack_name": "here", "pid": os.getpid()}


@pytest.fixture
def local_file(tmp_path: Path) -> Path:
    path = tmp_path / "local.json"
    path.write_text(json.dumps(HERE))
    return path


def test_resolve_running_laptop_is_found(local_file: Path) -> None:
    assert resolve(local_file=local_file) == Target("here", "http://127.0.0.1:4566", "eu-west-1")


def test_resolve_running_laptop_wins_over_a_region_left_in_the_shell(local_file: Path) -> None:
    assert resolve(region="us-east-2", local_file=local_file).region == "eu-west-1"


def test_resolve_explicit_endpoint_wins_over_the_laptop(local_file: Path) -> None:
    target = resolve(endpoint_url="http://10.0.0.1:1", region="r", local_file=local_file)
    assert target == Target(DEFAULT_STACK, "http://10.0.0.1:1", "r")
    assert not target.on_laptop


def test_resolve_profile_means_aws(local_file: Path) -> None:
    assert resolve(profile="prod", local_file=local_file) == Target(DEFAULT_STACK, profile="prod")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": "x"}', json.dumps(HERE | {"pid": 2**22 + 1})])
def test_running_laptop_note_left_behind_is_ignored(tmp_path: Path, content: str) -> None:
    path = tmp_path / "local.json"
    path.write_text(content)
    assert running_laptop(path) is None


def test_laptop_client_needs_no_credentials() -> None:
    target = Target("s", "http://127.0.0.1:4566", "eu-west-1")
    credentials = target.session.get_credentials()
    assert (target.on_laptop, credentials.access_key) == (True, "test")
