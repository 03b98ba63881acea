"""A model package out of its archive, and the scores its endpoint would give."""

from __future__ import annotations

import json
import tarfile
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from fraud import features
from model import boosting, inference, package_json
from model.boosting import Scores
from model.thresholds import Thresholds

_DAMAGED = (tarfile.TarError, OSError, EOFError, zlib.error, KeyError, TypeError, ValueError)


class UnusablePackage(ValueError):
    """A package cannot be loaded, or asks for features that are not there."""


@dataclass(frozen=True, slots=True)
class Packaged:
    """A loaded package.

    Args:
        role: what it is called in messages: `candidate` or `champion`.
        document: `package.json`.
        model: as the serving container holds it.
    """

    role: str
    document: dict[str, Any]
    model: inference.Model

    @property
    def thresholds(self) -> Thresholds:
        """Its own, chosen on scores rounded as they are served."""
        return Thresholds(**self.document["thresholds"])

    @property
    def sha256(self) -> str:
        """Of model.ubj."""
        return str(self.document["model_sha256"])

    @property
    def review_share(self) -> float:
        """Share of transactions that people can review, as its training was told."""
        return float(self.document["training"]["parameters"]["review_share"])

    @property
    def last_at(self) -> str:
        """Event time of the newest row that it learned from, RFC 3339."""
        return str(self.document["training"]["last_at"])

    def score(self, rows: pa.Table) -> Scores:
        """The scores of rows that hold the features by their names.

        Raises:
            UnusablePackage: the contract names a feature that the rows lack, or one that means something else by now.
        """
        names = self.model.names
        missing = [name for name in names if name not in rows.column_names]
        if missing:
            raise UnusablePackage(f"the {self.role} needs features that the rows lack: {', '.join(missing)}")
        stated, ours = self.document["contract"]["hash"], features.contract_hash(names)
        if stated != ours:
            raise UnusablePackage(
                f"the {self.role} means other features: its contract is {stated}, that of the rows {ours}"
            )
        return boosting.score(self.model.booster, np.column_stack([_column(rows[name]) for name in names]))


def load(archive: Path, role: str) -> Packaged:
    """Unpack and load a package as the serving container does.

    Raises:
        UnusablePackage: with what is wrong with it.
    """
    try:
        with tempfile.TemporaryDirectory() as directory:
            with tarfile.open(archive, "r:gz") as tar:
                tar.extractall(directory, filter="data")
            document = json.loads(Path(directory, package_json.NAME).read_text(encoding="utf-8"))
            found = Packaged(role, document, inference.model_fn(directory))
            _require_parts(found)
            return found
    except _DAMAGED as error:
        reason = f"lacks {error}" if isinstance(error, KeyError) else f"cannot be loaded: {error}"
        raise UnusablePackage(f"the {role}'s package {archive.name} {reason}") from error


def _require_parts(found: Packaged) -> None:
    """Touch all that is read later, so that what is missing is said here. Raises: KeyError, TypeError."""
    contract, training = found.document["contract"], found.document["training"]
    _ = (found.thresholds, contract["hash"], training["importance"], found.last_at, found.review_share)


def _column(values: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.float32]]:
    single: np.ndarray[Any, np.dtype[np.float32]] = values.to_numpy().astype(np.float32)
    return single
