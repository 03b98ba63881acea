"""What became of a rollout, as an event on the stack's bus; the state machine puts the same when it ends by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from fraud.aws.calls import unavailable
from fraud.errors import StoreUnavailable
from fraud.rollout import Rollout, Stage

SOURCE = "fraud.rollouts"
DETAIL_TYPES = {Stage.PROMOTED: "Model Promoted", Stage.ROLLED_BACK: "Rollout Rolled Back"}


@dataclass(frozen=True)
class EventBridgeAnnouncements:
    """Puts one event.

    Args:
        client: EventBridge.
        bus: its name.
    """

    client: Any
    bus: str

    def announce(self, rollout: Rollout, sentence: str) -> None:
        """Tell subscribers what became of a rollout that is decided.

        Raises:
            StoreUnavailable: perhaps not told; telling it again is safe.
        """
        detail = {
            "rollout_id": rollout.rollout_id,
            "execution": rollout.owner,
            "sentence": sentence,
            "model_package_arn": rollout.candidate.model_package,
        }
        entry = {
            "EventBusName": self.bus,
            "Source": SOURCE,
            "DetailType": DETAIL_TYPES[rollout.stage],
            "Detail": msgspec.json.encode(detail).decode(),
        }
        with unavailable("PutEvents"):
            answer = self.client.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise StoreUnavailable("PutEvents: the entry was refused")
