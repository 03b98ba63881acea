"""The application's own stack, in a process of its own; nothing of it is left when the test ends."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.spine import Spine
from tests.local.conftest import ROOT, start
from tests.local.test_laptop import alive, members
from tests.permissions import recording


@pytest.fixture(scope="session", autouse=True)
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever functions are seen to call is known, so that what their roles are granted is held against it."""
    with recording.into(tmp_path_factory.mktemp("calls")) as seen:
        yield
    unknown = recording.unknown(seen)
    assert not unknown, recording.advice(unknown)


@pytest.fixture
def spine() -> Iterator[Spine]:
    running = start(ROOT / "template.yaml", "end-to-end")
    try:
        yield Spine(running)
    finally:
        started = members(running.process.pid)
        status = running.stop()
    assert status == 0
    assert not [process for process in started if alive(process)]
