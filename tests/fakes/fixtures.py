"""Stores twice: in memory, and as adapters over moto. What is tested with them is tested with both."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.fakes.aws import AwsStores
from tests.fakes.faults import Clock
from tests.fakes.functions import Functions
from tests.fakes.samples import NOW
from tests.fakes.world import MemoryStores, Stores, World


@pytest.fixture(params=["memory", "aws"])
def stores(request: pytest.FixtureRequest, no_account: None) -> Iterator[Stores]:
    if request.param == "memory":
        yield MemoryStores(Clock(NOW))
        return
    with mock_aws():
        yield AwsStores(Clock(NOW))


@pytest.fixture
def world(stores: Stores) -> World:
    return World(stores)


@pytest.fixture
def functions(no_account: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Functions]:
    with mock_aws():
        yield Functions(AwsStores(Clock(NOW)), monkeypatch)
