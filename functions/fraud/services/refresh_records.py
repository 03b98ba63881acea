"""The record of a refresh on behalf of the execution that owns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fraud.errors import MonitoringSuperseded
from fraud.monitoring import Refresh
from fraud.monitoring_ports import RefreshStore


@dataclass(frozen=True)
class RefreshRecords:
    """Reads and writes the record.

    Args:
        store: where it lies.
        clock: seconds since 1970.
    """

    store: RefreshStore
    clock: Callable[[], float]

    def mine(self, execution: str) -> Refresh:
        """The record, over or not, if it is this execution's.

        Raises:
            MonitoringSuperseded: it is another's by now, or there is none.
            StoreUnavailable: not read.
        """
        record = self.store.read()
        if record is None or record.owner != execution:
            raise MonitoringSuperseded("This execution does not hold the lock any more, and must change nothing.")
        return record

    def owned(self, execution: str) -> Refresh:
        """The record, if it is this execution's and not over.

        Raises:
            MonitoringSuperseded: it is over, or another's.
            StoreUnavailable: not read.
        """
        record = self.mine(execution)
        if record.is_over:
            raise MonitoringSuperseded(f"This execution's refresh is over: {record.sentence}")
        return record

    def tell(self, record: Refresh, said: str, **changes: Any) -> Refresh:
        """Write what happened, and changes.

        Raises:
            MonitoringMoved: somebody else was faster.
            StoreUnavailable: not known to be written.
        """
        return self.store.save(record.told(self.clock(), said, **changes))
