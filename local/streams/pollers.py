"""Drives one reader per shard of every stream mapping, each on a thread that sleeps until its stream is written to.

These replace the stand-in's own pollers, which skip what a function reported as failed and know neither bisecting nor
attempts, age or destinations for Kinesis.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from local.gateway import Gateway, service
from local.streams import destination
from local.streams.reader import (
    Action,
    Discard,
    Failed,
    Invoke,
    Outcome,
    Policy,
    Record,
    ShardReader,
    Throttled,
    Wait,
    judge,
)
from local.streams.sources import Source, open_source

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Shard:
    mapping: dict[str, Any]
    origin: destination.Origin
    source: Source
    reader: ShardReader
    wake: threading.Event = field(default_factory=threading.Event)
    paused: bool = False
    ended: bool = False


class Pollers:
    """Keeps one thread per shard in step with the mappings that exist."""

    def __init__(self, gateway: Gateway, deliver: Callable[[str, str, str], None]) -> None:
        """deliver(bucket, key, body) writes an on-failure object."""
        self._gateway = gateway
        self._deliver = deliver
        self._lambda = service("lambda_svc")
        self._shards: dict[tuple[str, str], _Shard] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def notice(self) -> None:
        """Some source was written to."""
        for shard in list(self._shards.values()):
            shard.wake.set()

    def reconcile(self) -> None:
        """Start readers of new mappings and shards, end those of mappings that are gone, and hold the disabled."""
        with self._lock:
            wanted = {} if self._stopped else self._gateway.scoped(self._wanted)
            for key in self._shards.keys() - wanted.keys():
                self._end(self._shards.pop(key))
            for key, shard in self._shards.items():
                self._follow(shard, wanted[key][0])
            for key in wanted.keys() - self._shards.keys():
                self._start(key, *wanted[key])

    def stop(self) -> None:
        self._stopped = True
        self.reconcile()

    def _wanted(self) -> dict[tuple[str, str], tuple[dict[str, Any], Source]]:
        wanted = {}
        for mapping in list(self._lambda._esms.values()):
            source = open_source(mapping["EventSourceArn"], self._gateway.region)
            if source is None:
                continue
            for shard in source.shards():
                wanted[mapping["UUID"], shard] = (mapping, source)
        return wanted

    def _start(self, key: tuple[str, str], mapping: dict[str, Any], source: Source) -> None:
        name = key[1]
        origin = destination.Origin(
            mapping["UUID"], mapping["FunctionArn"], mapping["EventSourceArn"], name, source.batch_info
        )
        from_start = mapping.get("StartingPosition") == "TRIM_HORIZON"
        position = "" if from_start else self._gateway.scoped(lambda: source.end(name))
        reader = ShardReader(Policy.from_mapping(mapping), position, self._filter(mapping))
        shard = self._shards[key] = _Shard(mapping, origin, source, reader, paused=not mapping["Enabled"])
        threading.Thread(
            target=self._gateway.scoped, args=(lambda: self._run(shard),), name=f"poll-{name}", daemon=True
        ).start()

    def _follow(self, shard: _Shard, mapping: dict[str, Any]) -> None:
        """Take over the mapping's settings; what a disabled one has read and not done stays where it is."""
        policy, paused = Policy.from_mapping(mapping), not mapping["Enabled"]
        changed = (shard.reader.policy, shard.paused) != (policy, paused)
        shard.mapping, shard.reader.policy, shard.paused = mapping, policy, paused
        if changed:
            shard.wake.set()

    def _filter(self, mapping: dict[str, Any]) -> Callable[[Record], bool]:
        return lambda record: bool(self._lambda._apply_filter_criteria([record.event], mapping))

    def _end(self, shard: _Shard) -> None:
        shard.ended = True
        shard.wake.set()

    def _run(self, shard: _Shard) -> None:
        while not shard.ended:
            shard.wake.clear()
            try:
                self._do(shard, self._next(shard))
            except Exception:  # noqa: BLE001 - the thread must live: the service would try again too
                _log.exception("shard %s", shard.origin.shard)
                shard.wake.wait(1.0)

    def _next(self, shard: _Shard) -> Action:
        if not shard.mapping["Enabled"]:
            return Wait(None)

        def read(after: str, limit: int) -> Any:
            return shard.source.read(shard.origin.shard, after, limit)

        return shard.reader.next_action(read, time.monotonic(), time.time())

    def _do(self, shard: _Shard, action: Action) -> None:
        match action:
            case Wait(until):
                shard.wake.wait(None if until is None else max(0.0, until - time.monotonic()))
            case Discard():
                self._give_up(shard, action)
            case Invoke():
                self._invoke(shard, action)

    def _invoke(self, shard: _Shard, action: Invoke) -> None:
        function, _ = self._lambda._get_func_record_for_qualifier(
            shard.mapping["FunctionName"], shard.mapping.get("Qualifier")
        )
        result = self._lambda._execute_function(function, {"Records": [r.event for r in action.batch.records]})
        given_up = shard.reader.resolve(_outcome(result, action, shard.reader.policy), time.monotonic())
        shard.mapping["LastProcessingResult"] = "PROBLEM: Function call failed" if result.get("error") else "OK"
        if given_up is not None:
            self._give_up(shard, given_up)

    def _give_up(self, shard: _Shard, discard: Discard) -> None:
        target = ((shard.mapping.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination", "")
        if not target.startswith("arn:aws:s3:::"):
            _log.error("%d records of %s are lost: no S3 destination", len(discard.batch.records), shard.origin.shard)
            return
        moment = datetime.now(UTC)
        self._deliver(
            target.removeprefix("arn:aws:s3:::"),
            destination.key(shard.origin, moment),
            destination.body(shard.origin, discard, moment),
        )


def _outcome(result: dict[str, Any], action: Invoke, policy: Policy) -> Outcome:
    if result.get("throttle"):
        return Throttled()
    return Failed() if result.get("error") else judge(result.get("body"), action.batch, policy)
