"""What arrived around a window, as the query of monitoring wrote it, laid out as arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from model.examples import Flags, Matrix
from model.history import Seconds

Floats = npt.NDArray[np.float64]
Words = npt.NDArray[np.int8]
ACTIONS = ("approve", "review", "block")
NO_VERDICT = -1


@dataclass(frozen=True, slots=True)
class Rows:
    """One row per transaction, ordered by event time and then by identifier; times are whole seconds since 1970.

    Args:
        events: the columns of `examples.EVENT`, null where there was none.
        at: event time, the arrival where the event claims to lie ahead of it.
        arrived_at: when it came in.
        in_window: whether it arrived in the window.
        features: in the order of `fraud.features.NAMES`; NaN where not known, and outside of the window.
        readable: whether features were recorded that mean what this code means by them.
        action: position in `ACTIONS`.
        score: of the model; NaN without one.
        propensity: probability with which policy gave the action that it gave; 1 without randomisation.
        package: position in `packages` of the model that scored it; -1 without one.
        packages: ARNs.
        degraded: whether the model that should have answered did not.
        judged: whether a verdict stands.
        is_fraud: that verdict; False without.
        known_at: when it became known, `history.NEVER` without.
        first_fraud_at: when a verdict first said fraud; NEVER without.
        review: what reviewers said: 1 fraud, 0 genuine, `NO_VERDICT`.
        chargeback: what chargebacks said, alike.
    """

    events: pa.Table
    at: Seconds
    arrived_at: Seconds
    in_window: Flags
    features: Matrix
    readable: Flags
    action: Words
    score: Floats
    propensity: Floats
    package: npt.NDArray[np.int32]
    packages: tuple[str, ...]
    degraded: Flags
    judged: Flags
    is_fraud: Flags
    known_at: Seconds
    first_fraud_at: Seconds
    review: Words
    chargeback: Words

    def __len__(self) -> int:
        return len(self.at)
