"""The life of a stack: what it announces, and that nothing is left of it however it ends."""

import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.conftest import ROOT, STACK, Running, eventually, start


def members(leader: int) -> list[int]:
    """Processes that a process started, and theirs."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _parent(entry) == leader:
            found += [int(entry.name), *members(int(entry.name))]
    return found


def _parent(process: Path) -> int:
    try:
        return int((process / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def alive(process: int) -> bool:
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def busy_stack() -> Iterator[Running]:
    """A stack of the test's own, with a function underway."""
    running = start(STACK, "laptop-ending")
    try:
        running.client("lambda").invoke(
            FunctionName=running.outputs["Reader"], InvocationType="Event", Payload=json.dumps({"command": "hang"})
        )
        eventually(lambda: members(running.process.pid))
        yield running
    finally:
        if running.process.poll() is None:
            running.stop(signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_stack_and_everything_it_started(busy_stack: Running, number: signal.Signals) -> None:
    started = members(busy_stack.process.pid)
    assert started
    began = time.monotonic()
    assert busy_stack.stop(number) == 0
    assert time.monotonic() - began < 5
    assert not [process for process in started if alive(process)]


def test_a_killed_stack_leaves_no_process_behind(busy_stack: Running) -> None:
    started = members(busy_stack.process.pid)
    assert started
    busy_stack.stop(signal.SIGKILL)
    eventually(lambda: not [process for process in started if alive(process)])


def test_what_the_laptop_cannot_have_is_left_out_and_said(stack: Running) -> None:
    assert "Trail (AWS::CloudTrail::Trail)" in stack.announcement
    assert "Packages" not in stack.announcement


def test_the_port_is_open_on_the_loopback_interface_alone(stack: Running) -> None:
    port = f"{int(stack.url.rpartition(':')[2]):04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = [fields[1] for fields in lines if fields[3] == "0A" and fields[1].endswith(f":{port}")]
    assert listening == [f"0100007F:{port}"]


def test_a_taken_port_is_refused() -> None:
    from local.gateway import Gateway

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(OSError, match="in use"):
            Gateway(taken.getsockname()[1], "us-east-1", Path(os.devnull))


def test_another_version_of_the_stand_in_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from local import gateway

    monkeypatch.setattr(gateway, "VERSION", "0.0.0")
    with pytest.raises(RuntimeError, match=r"written for ministack 0\.0\.0"):
        gateway.Gateway(0, "us-east-1", Path(os.devnull))


def test_the_applications_own_template_deploys_whole() -> None:
    running = start(ROOT / "template.yaml", "laptop-application")
    try:
        outputs = running.outputs
        arn = f"arn:aws:sagemaker:us-east-1:000000000000:model-package-group/{outputs['ModelPackageGroupName']}"
        groups = running.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
        mappings = running.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    finally:
        running.stop()
    queries = ("ErrorsByFunctionQuery", "FollowTransactionQuery", "RolloutStepsQuery", "SlowestBatchesQuery")
    assert running.announcement.rstrip().partition("left out: ")[2] == ", ".join(
        f"{name} (AWS::Logs::QueryDefinition)" for name in queries
    )
    assert [group["ModelPackageGroupArn"] for group in groups] == [arn]
    assert (outputs["EndpointSlotA"], outputs["EndpointSlotB"]) == ("laptop-application-a", "laptop-application-b")
    assert len(mappings) == 4
