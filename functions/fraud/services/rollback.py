"""Rolling back: one compare-and-set, whoever asks for it, and the proof that it is in force.

Gates, alarms, people and a new rollout that finds a dead one all come here. Traffic first, bookkeeping later; every
step can be repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from fraud.deployment_ports import RoutingStore
from fraud.errors import ModelUnavailable, RollbackUnverified, RolloutMoved
from fraud.ports import Scorer
from fraud.rollout import LONGEST_SENTENCE, REVERSIBLE, Rollout, Stage
from fraud.rollout_ports import Observations, RolloutStore
from fraud.routing import Routing, ServedModel

TRIES = 8
"""Times a stop is tried when somebody else keeps changing the record; the owner changes it once per look."""
PAUSE = 0.05
"""Seconds before the second try; each further one waits that much longer."""
FIRST_DECISION = 15
"""Seconds until the first decision under the new routing item; one without any is believed then, since traffic ends."""


@dataclass(frozen=True)
class Rollback:
    """Gives all traffic back to the champion.

    Args:
        store: the record.
        routing: the routing item.
        observations: what was counted.
        scorer: has the champion score a transaction.
        clock: seconds since 1970.
        sleep: waits so many seconds.
    """

    store: RolloutStore
    routing: RoutingStore
    observations: Observations
    scorer: Scorer
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    def stop(self, applies: Callable[[Rollout], bool], sentence: str) -> Rollout | None:
        """Roll the rollout under way back, if there is one, it can be, and it is meant; else None.

        From the next batch on the challenger gets nothing.

        Args:
            applies: whether the rollout, as it is at that moment, is meant.
            sentence: why.

        Raises:
            RolloutMoved: others changed it at every try.
            StoreUnavailable: not known to be written.
        """
        for attempt in range(1, TRIES):
            try:
                return self._stop(applies, sentence)
            except RolloutMoved:
                self.sleep(PAUSE * attempt)
        return self._stop(applies, sentence)

    def _stop(self, applies: Callable[[Rollout], bool], sentence: str) -> Rollout | None:
        rollout = self.store.read()
        if rollout is None or rollout.released or rollout.stage not in REVERSIBLE or not applies(rollout):
            return None
        return self.restore(rollout, sentence)

    def restore(self, rollout: Rollout, sentence: str) -> Rollout:
        """Take the challenger out of the routing item and note why, in one transaction.

        Raises:
            RolloutMoved: somebody else was faster; read again.
            StoreUnavailable: not known to be written.
        """
        now, reason = self.clock(), sentence[:LONGEST_SENTENCE]
        stopped = replace(rollout, stage=Stage.ROLLING_BACK, since=now, reason=reason, paused_at=None)
        stopped = stopped.told(now, f"Rolled back: {sentence}")
        standing = self.routing.read()
        if standing is None or standing.challenger is None:
            return self.store.save(stopped)
        restored = standing.unchallenged()
        return self.store.commit(replace(stopped, epoch=restored.epoch), restored)

    def verified(self, rollout: Rollout) -> Rollout:
        """The record, to be written, of a rollback that is seen to be in force.

        Raises:
            RollbackUnverified: it is not seen to be.
            StoreUnavailable: not read.
        """
        now, sentence = self.clock(), self.verify(rollout)
        return replace(rollout.told(now, sentence), stage=Stage.ROLLED_BACK, verified=True, since=now)

    def verify(self, rollout: Rollout) -> str:
        """See that the rollback is in force: read back, by the counters, and by a transaction scored; in words.

        Raises:
            RollbackUnverified: it is not seen to be.
            StoreUnavailable: not read.
        """
        standing = self.routing.read()
        if standing is None:
            return "No model served before, and none does."
        self._check_routing(standing)
        counted = self._check_counters(standing, rollout)
        self._check_champion(standing.slots[standing.champion])
        champion = f"{standing.slots[standing.champion].model_package} serves alone in slot {standing.champion}"
        return f"Verified: {champion}; {counted:,} decisions are counted since, none for the challenger."

    def _check_routing(self, standing: Routing) -> None:
        if standing.challenger is not None or standing.share_bps:
            raise RollbackUnverified(
                f"the routing item of epoch {standing.epoch} still gives slot {standing.challenger} "
                f"{standing.share_bps / 100:g} % of the cards"
            )

    def _check_counters(self, standing: Routing, rollout: Rollout) -> int:
        """Where there was traffic, wait for the first decision under the new routing item; none is for the challenger.

        A batch that had read the item before may still be decided by it, and is counted under the epoch before.
        """
        counts, busy = self._counts(standing.epoch), bool(self._counts(standing.epoch - 1))
        for _ in range(FIRST_DECISION if busy else 0):
            if counts:
                break
            self.sleep(1.0)
            counts = self._counts(standing.epoch)
        wrong = counts.get(rollout.candidate.slot, 0)
        if wrong and rollout.candidate.slot != standing.champion:
            raise RollbackUnverified(f"{wrong:,} decisions were routed to the challenger after the rollback")
        return counts.get(standing.champion, 0)

    def _counts(self, epoch: int) -> dict[str, int]:
        """Decisions of an epoch, by the slot they were routed to."""
        arms = self.observations.arms(epoch)
        return {slot: sum(tally.transactions for tally in arm.values()) for slot, arm in arms.items()}

    def _check_champion(self, champion: ServedModel) -> None:
        """Score a transaction of which nothing is known: any score will do, none will not."""
        try:
            [score] = self.scorer.score(champion, [[None] * len(champion.contract)])
        except ModelUnavailable as error:
            raise RollbackUnverified(f"the champion's endpoint {champion.endpoint} does not answer: {error}") from error
        if score is None:
            raise RollbackUnverified(f"the champion's endpoint {champion.endpoint} gives no score")
