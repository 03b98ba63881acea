"""Challengers for a demonstration: one that is good, and three that must never take over."""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import training

if TYPE_CHECKING:
    from model.dataset import Dataset

INFERENCE, DOCUMENT = Path("code", "inference.py"), "package.json"
GOOD_AS_GOLD = 100
"""Requests that the failing challenger answers before it fails: enough to come through smoke and shadow."""
SLOW_SECONDS = 0.45
"""Far below the second that scoring waits for an answer, so that nothing but its latency is wrong."""
TOO_LOW = 0.90
"""Quantile of the scores from which the eager challenger blocks: one transaction in ten."""

ERRS = """

_asked = 0
_sound = predict_fn


def predict_fn(rows, model):
    global _asked
    _asked += 1
    if _asked > {good}:
        raise RuntimeError("out of memory")
    return _sound(rows, model)
"""
SLOW = """

_sound = predict_fn


def predict_fn(rows, model):
    time.sleep({seconds})
    return _sound(rows, model)
"""


@dataclass(frozen=True)
class Challenger:
    """A model package to roll out.

    Args:
        title: what it is like, for people.
        promoted: whether it is to take over.
        archive: its content.
    """

    title: str
    promoted: bool
    archive: bytes


def challengers(dataset: "Dataset", champion: Path) -> list[Challenger]:
    """A good one, trained with another seed, and the champion's own package with a fault each.

    The one that sets an alarm off for certain comes last: no rollout begins in a slot whose alarms are in ALARM.
    """
    errs, slow = ERRS.format(good=GOOD_AS_GOLD), SLOW.format(seconds=SLOW_SECONDS)
    return [
        Challenger("blocks too much", False, _changed(champion, Path(DOCUMENT), _eager)),
        Challenger("is slow", False, _changed(champion, INFERENCE, _with(slow))),
        Challenger("is good", True, _retrained(dataset)),
        Challenger("errs, once it has traffic", False, _changed(champion, INFERENCE, _with(errs))),
    ]


def _retrained(dataset: "Dataset") -> bytes:
    with tempfile.TemporaryDirectory(prefix="fraud-challenger-") as directory:
        training.fit(dataset, Path(directory), {"seed": 8})
        return Path(directory, training.ARCHIVE).read_bytes()


def _changed(package: Path, name: Path, change: Callable[[str], str]) -> bytes:
    """The archive of a package, one of its files changed."""
    from model.package import PARTS, build_archive

    with tempfile.TemporaryDirectory(prefix="fraud-challenger-") as directory:
        for part in PARTS:
            copy = Path(directory, part)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes((package / part).read_bytes())
        changed = Path(directory, name)
        changed.write_text(change(changed.read_text()))
        archive = Path(directory, training.ARCHIVE)
        build_archive(Path(directory), archive)
        return archive.read_bytes()


def _with(fault: str) -> Callable[[str], str]:
    return lambda source: source + fault


def _eager(text: str) -> str:
    document: dict[str, Any] = json.loads(text)
    low = document["score_quantiles"][round(100 * TOO_LOW)]
    document["thresholds"] = {"review": low, "block": low}
    return json.dumps(document)
