"""The metric store: data points summed up as they come, so that neither memory nor a look grows with the traffic.

The stand-in keeps every point for two weeks and walks through all of them at every request.
"""

import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.gateway import service

MINUTE = 60
FINE_SECONDS = 5
"""Length of the buckets that alarms look at."""
FINE_KEPT_SECONDS = 15 * MINUTE
MINUTES_KEPT_SECONDS = 3 * 3600

_EXACT_VALUES = 128
"""Different values a bucket tells apart; further ones are rounded by less than a per cent, for percentiles only."""
_BINS = 128

Point = Mapping[str, Any]
"""The stand-in's record of a data point."""


@dataclass(slots=True)
class Bucket:
    """What was measured in a stretch of time; everything but percentiles is exact."""

    count: float = 0.0
    total: float = 0.0
    low: float = math.inf
    high: float = -math.inf
    values: dict[float, float] = field(default_factory=dict)
    """How often each value was measured."""
    summarised: bool = False
    """Whether a statistic set went in, of which single values are not known."""

    def add(self, point: Point) -> None:
        if "_stat" in point:
            self._add_summary(point["_stat"])
        else:
            self._add(point["Value"], point.get("Count", 1.0))

    def _add(self, value: float, count: float) -> None:
        self.count += count
        self.total += value * count
        if value < self.low:
            self.low = value
        if value > self.high:
            self.high = value
        values = self.values
        if value not in values and len(values) >= _EXACT_VALUES:
            mantissa, exponent = math.frexp(value)
            value = math.ldexp(round(mantissa * _BINS) / _BINS, exponent)
        values[value] = values.get(value, 0.0) + count

    def _add_summary(self, given: Mapping[str, Any]) -> None:
        """A statistic set: as CloudWatch, take it for one repeated value, of which alone there are percentiles."""
        count = float(given.get("SampleCount", 0))
        if count <= 0:
            return
        low, high, total = (float(given.get(name, 0)) for name in ("Minimum", "Maximum", "Sum"))
        self.summarised |= not (low == high and total == low * count)
        self._add(low, count)
        self.total += total - low * count
        self.high = max(self.high, high)


class _Tier:
    """Buckets of one length, the older ones forgotten."""

    def __init__(self, seconds: int, kept_seconds: int) -> None:
        self.seconds = seconds
        self._kept = kept_seconds
        self.buckets: dict[int, Bucket] = {}

    def at(self, moment: float) -> Bucket:
        start = int(moment // self.seconds) * self.seconds
        return self.buckets.get(start) or self._begin(start)

    def _begin(self, start: int) -> Bucket:
        bucket = self.buckets[start] = Bucket()
        newest = max(self.buckets)
        for old in [each for each in self.buckets if each <= newest - self._kept]:
            del self.buckets[old]
        return bucket


class Series:
    """One metric with one set of dimensions; stands in the place of the stand-in's list of points.

    Its own items are one point for each minute.
    """

    def __init__(self) -> None:
        self._fine = _Tier(FINE_SECONDS, FINE_KEPT_SECONDS)
        self._minutes = _Tier(MINUTE, MINUTES_KEPT_SECONDS)
        self._unit = "None"
        self._dimensions: dict[str, str] = {}
        self._lock = threading.Lock()

    def append(self, point: Point) -> None:
        """Take in a point of the stand-in's."""
        moment = point["Timestamp"]
        with self._lock:
            self._unit, self._dimensions = point["Unit"], point["Dimensions"]
            self._fine.at(moment).add(point)
            self._minutes.at(moment).add(point)

    def window(self, end: float, seconds: float, lookback: float) -> list[Bucket]:
        """Buckets of the stretch that ends with the bucket under way at `end`; lookback is how far any look goes."""
        tier = self._fine if lookback < FINE_KEPT_SECONDS else self._minutes
        last = int(end // tier.seconds) * tier.seconds
        buckets = list(tier.buckets.items())
        return [bucket for start, bucket in buckets if last - seconds < start <= last]

    def __iter__(self) -> Iterator[Point]:
        for start, bucket in list(self._minutes.buckets.items()):
            yield {"Timestamp": start, "Unit": self._unit, "Dimensions": self._dimensions, "Bucket": bucket}

    def __len__(self) -> int:
        return len(self._minutes.buckets)

    def __getitem__(self, index: int) -> Point:
        return list(self)[index]


_SIMPLE: dict[str, Callable[[Sequence[Bucket]], float]] = {
    "SampleCount": lambda buckets: sum(bucket.count for bucket in buckets),
    "Sum": lambda buckets: sum(bucket.total for bucket in buckets),
    "Average": lambda buckets: sum(bucket.total for bucket in buckets) / sum(bucket.count for bucket in buckets),
    "Minimum": lambda buckets: min(bucket.low for bucket in buckets),
    "Maximum": lambda buckets: max(bucket.high for bucket in buckets),
}


def statistic(buckets: Sequence[Bucket], name: str) -> float | None:
    """A statistic over buckets, by CloudWatch's name for it; None without data."""
    if not any(bucket.count for bucket in buckets):
        return None
    if name in _SIMPLE:
        return _SIMPLE[name](buckets)
    samples = _samples(buckets)
    return None if samples is None else float(service("cloudwatch")._percentile(samples, float(name[1:])))


def is_statistic(name: str) -> bool:
    return name in _SIMPLE or bool(service("cloudwatch")._is_percentile_stat(name))


def _samples(buckets: Iterable[Bucket]) -> list[tuple[float, float]] | None:
    """Values and how often each was measured; None where CloudWatch has no percentiles."""
    measured = [bucket for bucket in buckets if bucket.count > 0]
    if any(bucket.summarised or bucket.low < 0 for bucket in measured):
        return None
    return [item for bucket in measured for item in list(bucket.values.items())] or None


def series(namespace: str, name: str, dimensions: Mapping[str, str]) -> Series | None:
    """A metric with exactly these dimensions."""
    metrics = service("cloudwatch")
    found: Series | None = metrics._metrics.get((namespace, name, metrics._dims_key(dict(dimensions))))
    return found


def install() -> None:
    metrics = service("cloudwatch")
    metrics._metric_bucket = _series_of
    metrics._evict_old_metrics = lambda: None
    metrics._point_stats = _point_statistics
    metrics._percentile_samples = lambda points: _samples(point["Bucket"] for point in points)
    metrics._dims_from_list = _dimensions
    for name in ("_get_metric_statistics", "_get_metric_data"):
        setattr(metrics, name, _from_whole_minute(getattr(metrics, name)))


def _series_of(key: tuple[str, str, str]) -> Series:
    kept = service("cloudwatch")._metrics
    found: Series | None = kept.get(key)
    if found is None:
        found = kept.setdefault(key, Series())
    return found


def _point_statistics(point: Point) -> tuple[float, float, float, float]:
    bucket: Bucket = point["Bucket"]
    return bucket.count, bucket.total, bucket.low, bucket.high


class _Exactly(dict[str, str]):
    """Dimensions that are asked for, also when there are none: the stand-in takes an empty set for any."""

    def __bool__(self) -> bool:
        return True


def _dimensions(given: Iterable[Mapping[str, str]]) -> _Exactly:
    return _Exactly({each["Name"]: each.get("Value", "") for each in given})


def _from_whole_minute(answer: Any) -> Any:
    """A query whose start is rounded down to a minute, as CloudWatch does."""

    def rounded(params: Any, request: dict[str, Any], *protocol: bool) -> Any:
        start = service("cloudwatch")._parse_ts(request.get("StartTime"))
        if start is not None:
            request = {**request, "StartTime": start // MINUTE * MINUTE}
        return answer(params, request, *protocol)

    return rounded
