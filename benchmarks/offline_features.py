"""Features of a whole file, beside pandas' rolling windows: `python -m benchmarks.offline_features FILE`.

The pandas side computes counts, sums, means and delayed frauds as the Fraud Detection Handbook does, a group and a
rolling window at a time, on times cut to our tiles, so that its values have to be equal. It computes those features
only; ours are all of the table. pandas comes with `uv sync --inexact --group benchmark`.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cli import transactions_table
from fraud import entities, features
from fraud.windows import Shape, Window
from model import offline_features
from model.history import History
from model.offline_features import Matrix

LABEL_DELAY = timedelta(days=7)
Values = npt.NDArray[np.float64]
SHAPES = {"card": entities.CARD, "terminal": entities.TERMINAL}


def main() -> None:
    """Measure, compare and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.offline_features", description=__doc__)
    parser.add_argument("file", type=Path, help="transactions as Parquet, CSV or JSONL")
    path = parser.parse_args().file
    history = read(path)
    began, busy = time.perf_counter(), time.process_time()
    matrix = offline_features.compute(history)
    ours, busy = time.perf_counter() - began, time.process_time() - busy
    print(
        f"{len(history):,} rows, {len(features.NAMES)} features: {ours:.1f} s ({busy:.1f} s of processor time), ",
        end="",
    )
    print(f"peak memory {peak_gib():.2f} GiB", flush=True)
    began = time.perf_counter()
    theirs = dict(rolling(history))
    pandas = time.perf_counter() - began
    different = [name for name, values in theirs.items() if not equal(matrix, name, values)]
    print(f"pandas, {len(theirs)} of these features: {pandas:.1f} s, {pandas / ours:.0f} times as long")
    print(f"different values: {', '.join(different) or 'none'}")
    raise SystemExit(bool(different))


def peak_gib() -> float:
    """The most memory this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def equal(matrix: Matrix, name: str, values: Values) -> bool:
    """Whether pandas found the same, unknown values included."""
    return np.array_equal(matrix[:, features.NAMES.index(name)], values.astype(np.float32), equal_nan=True)


def read(path: Path) -> History:
    """The file's transactions; frauds become known after LABEL_DELAY."""
    return History.from_table(transactions_table.read(path, None), LABEL_DELAY)


def rolling(history: History) -> Iterator[tuple[str, Values]]:
    """The comparable features, by name."""
    import pandas as pd

    at = pd.to_datetime(history.at, unit="s")
    columns = {"amount": history.amount_minor, "fraud": history.is_fraud.astype(np.int64)}
    for entity, codes in (("card", history.card), ("terminal", history.terminal)):
        table = pd.DataFrame({"entity": codes, "at": at, "one": 1, **columns})
        for feature in features.TABLE:
            if feature.entity == entity and feature.measure in MEASURES:
                assert feature.window
                yield feature.name, MEASURES[feature.measure](table, features.WINDOWS[entity][feature.window], entity)


def _count(table: Any, window: Window, entity: str) -> Values:
    return _sum(table, "one", window, SHAPES[entity])


def _spend(table: Any, window: Window, entity: str) -> Values:
    return _sum(table, "amount", window, SHAPES[entity])


def _mean(table: Any, window: Window, entity: str) -> Values:
    count = _count(table, window, entity)
    found: Values = np.divide(_spend(table, window, entity), count, out=np.full(len(count), np.nan), where=count > 0)
    return np.floor(found)


def _frauds(table: Any, window: Window, entity: str) -> Values:
    return _sum(table, "fraud", replace(window, lag=window.lag + LABEL_DELAY.days), SHAPES[entity])


def _sum(table: Any, column: str, window: Window, shape: Shape) -> Values:
    """Over the window's tiles: a longer rolling window less the one that lies between it and the row."""
    width = shape.levels[window.level].width
    tiled = table.assign(at=table["at"].dt.floor(f"{width}s"))
    longer = _rolling_sum(tiled, column, width * (window.lag + window.tiles))
    return longer - (_rolling_sum(tiled, column, width * window.lag) if window.lag else tiled[column].to_numpy())


def _rolling_sum(tiled: Any, column: str, seconds: int) -> Values:
    """A rolling window for each entity, the row itself included, in the order of the rows."""
    found = tiled.groupby("entity").rolling(f"{seconds}s", on="at")[column].sum()
    values = np.empty(len(tiled))
    values[np.argsort(tiled["entity"].to_numpy(), kind="stable")] = found.to_numpy()
    return values


MEASURES = {"count": _count, "spend": _spend, "mean": _mean, "frauds": _frauds}

if __name__ == "__main__":
    main()
