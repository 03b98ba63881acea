"""Every test that asks for stores runs twice: over the fakes and over the adapters."""

from tests.fakes.fixtures import functions, stores, world

__all__ = ["functions", "stores", "world"]
