"""The record of a retraining on behalf of the execution that owns it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fraud.errors import RetrainingSuperseded
from fraud.retraining import Retraining
from fraud.retraining_ports import RetrainingStore


@dataclass(frozen=True)
class RetrainingRecords:
    """Reads and writes the record.

    Args:
        store: where it lies.
        clock: seconds since 1970.
    """

    store: RetrainingStore
    clock: Callable[[], float]

    def mine(self, execution: str) -> Retraining:
        """The record, over or not, if it is this execution's.

        Raises:
            RetrainingSuperseded: it is another's by now, or there is none.
            StoreUnavailable: not read.
        """
        record = self.store.read()
        if record is None or record.owner != execution:
            raise RetrainingSuperseded("This execution does not hold the lock any more, and must change nothing.")
        return record

    def owned(self, execution: str) -> Retraining:
        """The record, if it is this execution's and not over.

        Raises:
            RetrainingSuperseded: it is over, or another's.
            StoreUnavailable: not read.
        """
        record = self.mine(execution)
        if record.is_over:
            raise RetrainingSuperseded(f"This execution's run is over: {record.sentence}")
        return record

    def tell(self, record: Retraining, said: str, **changes: Any) -> Retraining:
        """Write what happened, and changes.

        Raises:
            RetrainingMoved: somebody else was faster.
            StoreUnavailable: not known to be written.
        """
        return self.store.save(record.told(self.clock(), said, **changes))
