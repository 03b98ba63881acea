"""The application's own stack, in a process of its own; nothing of it is left when the test ends."""

from collections.abc import Iterator

import pytest

from tests.end_to_end.spine import Spine
from tests.local.conftest import ROOT, start
from tests.local.test_laptop import alive, members


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
