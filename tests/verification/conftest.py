import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.verification.fake_account import ACCOUNT, DEFAULT_SCRIPT, Account
from verification.ledger import Ledger
from verification.sandbox import Sandbox

Make = Callable[..., Sandbox]


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_770_000_000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def account() -> Account:
    return Account(DEFAULT_SCRIPT)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return Ledger(tmp_path / "ledger.jsonl")


@pytest.fixture
def make_sandbox(ledger: Ledger) -> Make:
    def make(script: Mapping[str, Any] | None = None, **more: Any) -> Sandbox:
        clock = Clock()
        account = Account({**DEFAULT_SCRIPT, **(script or {})}, **more)
        return Sandbox(account, ACCOUNT, ledger, clock.sleep, clock, run="0a1b2c3d")

    return make
