"""The document that travels with a model, `package.json`: its types, and whether this code can serve what it promises.

The document lies in the artefact, where the container reads it, and beside it, where a deployment does. Both must be
the same: what was checked is then what serves.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import msgspec

from fraud import drift, features
from fraud.errors import InvalidPackage
from fraud.routing import ServedModel

DOCUMENT = "package.json"
MODEL = "model.ubj"
LARGEST_DOCUMENT = 1024 * 1024
LARGEST_ARTEFACT = 256 * 1024 * 1024
LARGEST_UNPACKED = 512 * 1024 * 1024
PARTS = frozenset({MODEL, DOCUMENT, "code/inference.py"})
"""What an artefact must hold to be served."""
QUANTILES = 101
TOLERANCE = 1e-5
"""How far a served score may lie from the recorded one: single precision on another processor, and no more."""


class Contract(msgspec.Struct, frozen=True):
    """The inputs of a model: feature names in its order, and `features.contract_hash` of them."""

    names: tuple[str, ...]
    hash: str


class Thresholds(msgspec.Struct, frozen=True):
    """Scores at or above `review` go to people, at or above `block` are blocked."""

    review: float
    block: float


class Baseline(msgspec.Struct, frozen=True):
    """How values of a feature, or scores, were spread in training.

    Args:
        edges: inner cut points, ascending; a value on one belongs to the bin below, and the outer bins are open.
        counts: one more than there are edges.
        missing: rows without a value; not in `counts`.
        zeros: rows whose value was 0, which are in `counts`; None where nobody counted them.
        design_effect: how many times as much its shares vary from day to day as those of independent rows would.
        is_steady: whether it stayed the same through training; one that did not can say nothing of change.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int
    zeros: int | None = None
    design_effect: float = drift.DEFAULT_DESIGN_EFFECT
    is_steady: bool = True


class SmokeVector(msgspec.Struct, frozen=True):
    """A row in the contract's order, and the score that any server of this package must give."""

    features: tuple[float | None, ...]
    score: float


class PackageDocument(msgspec.Struct, frozen=True):
    """`package.json`, schema version 1.

    Args:
        model_sha256: of model.ubj. The container looks at it before it loads the model, too: XGBoost crashes on some
            damaged files.
        score_quantiles: 0th to 100th percentile of the scores in training.
        baseline: a distribution for every feature of the contract.
        training: where the model comes from, for people.
        scores: distribution of the scores that the model was measured with; None where nobody kept it.
    """

    schema_version: Literal[1]
    model_sha256: str
    contract: Contract
    thresholds: Thresholds
    score_quantiles: tuple[float, ...]
    baseline: dict[str, Baseline]
    smoke_vectors: tuple[SmokeVector, ...]
    training: dict[str, Any]
    scores: Baseline | None = None

    def served_at(self, endpoint: str, model_package: str) -> ServedModel:
        """What the routing item says of this package behind an endpoint."""
        return ServedModel(
            endpoint=endpoint,
            model_package=model_package,
            contract=self.contract.names,
            contract_hash=self.contract.hash,
            review_threshold=self.thresholds.review,
            block_threshold=self.thresholds.block,
        )


_decode = msgspec.json.Decoder(PackageDocument).decode


def parse(text: bytes) -> PackageDocument:
    """The document, checked: this code computes every feature it names, and means the same by them.

    Raises:
        InvalidPackage: with the first thing found wrong.
    """
    try:
        document = _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidPackage(f"{DOCUMENT} is not a package document: {error}") from error
    _check_contract(document.contract)
    _check_distributions(document)
    _check_vectors(document.smoke_vectors, len(document.contract.names))
    return document


def _check_contract(contract: Contract) -> None:
    names = contract.names
    unknown = [name for name in names if name not in features.BY_NAME]
    _require(not unknown, f"the contract names features that this code does not compute: {', '.join(unknown)}")
    _require(bool(names) and len(set(names)) == len(names), "the contract is empty or names a feature twice")
    _require(
        features.contract_hash(names) == contract.hash,
        f"the contract's hash is {contract.hash}, but this code computes {features.contract_hash(names)} for its names",
    )


def _check_distributions(document: PackageDocument) -> None:
    review, block = document.thresholds.review, document.thresholds.block
    quantiles = document.score_quantiles
    _require(0 < review <= block <= 1, f"the thresholds {review} and {block} are not 0 < review <= block <= 1")
    _require(len(quantiles) == QUANTILES, f"there are {len(quantiles)} score quantiles, not {QUANTILES}")
    _require(all(low <= high for low, high in pairwise(quantiles)), "the score quantiles do not ascend")
    _require(set(document.baseline) == set(document.contract.names), "the baseline is not of the contract's features")
    for name, each in document.baseline.items():
        _check_baseline(f"baseline of {name}", each)
    if document.scores is not None:
        _check_baseline("baseline of the scores", document.scores)


def _check_baseline(what: str, given: Baseline) -> None:
    bins, edges, zeros = len(given.counts), len(given.edges), given.zeros or 0
    _require(bins == edges + 1, f"the {what} has {bins} counts for {edges} edges")
    _require(all(low < high for low, high in pairwise(given.edges)), f"the edges of the {what} do not ascend")
    _require(min(*given.counts, given.missing, zeros) >= 0, f"the {what} counts fewer than 0 rows")
    _require(zeros <= sum(given.counts), f"the {what} counts more zeros than values")
    _require(given.design_effect >= 1, f"the design effect of the {what} is {given.design_effect}, below 1")


def _check_vectors(vectors: Sequence[SmokeVector], width: int) -> None:
    _require(bool(vectors), "there are no smoke vectors: nothing could prove the model once it is deployed")
    _require(all(len(each.features) == width for each in vectors), f"a smoke vector has not {width} features")
    _require(all(0 <= each.score <= 1 for each in vectors), "a smoke vector's score lies outside 0 to 1")


def check_scores(document: PackageDocument, scores: Sequence[float | None]) -> None:
    """Compare what an endpoint gave for the smoke vectors with what the package promises.

    Raises:
        InvalidPackage: with the first score that differs.
    """
    for given, vector in zip(scores, document.smoke_vectors, strict=True):
        near = given is not None and abs(given - vector.score) <= TOLERANCE
        _require(near, f"a smoke vector is scored {given} by the endpoint and {vector.score} by the package")


def check_artefact(content: bytes, recorded_sha256: str | None, recorded_bytes: int | None) -> None:
    """Compare an artefact with what was recorded of it at registration; None: not recorded.

    Raises:
        InvalidPackage: it is another, or only a part.
    """
    if recorded_bytes is not None:
        _require(len(content) == recorded_bytes, f"the artefact has {len(content)} bytes, not {recorded_bytes}")
    if recorded_sha256 is not None:
        _require(digest(content) == recorded_sha256, "the artefact is not the one that was registered: other SHA-256")


def digest(content: bytes) -> str:
    """SHA-256 in hex digits."""
    return hashlib.sha256(content).hexdigest()


def document_in(artefact: bytes) -> bytes:
    """The document inside an artefact that is whole: checksum of the archive, and of the model, as the document has it.

    Raises:
        InvalidPackage: damaged, too large, without a part that serving needs, or with a document that cannot be served.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(artefact)) as unzipped:
            return _document_of(unzipped.read(LARGEST_UNPACKED + 1))
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InvalidPackage(f"the artefact cannot be read: {error}") from error


def _document_of(archive: bytes) -> bytes:
    _require(len(archive) <= LARGEST_UNPACKED, f"the artefact unpacks to more than {LARGEST_UNPACKED} bytes")
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as tar:
        files = {member.name.removeprefix("./"): member for member in tar if member.isfile()}
        missing = sorted(PARTS - set(files))
        _require(not missing, f"the artefact lacks {', '.join(missing)}")
        text, model = _content(tar, files[DOCUMENT]), _content(tar, files[MODEL])
    _require(digest(model) == parse(text).model_sha256, f"{MODEL} is not the one that {DOCUMENT} describes")
    return text


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file else b""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidPackage(message)
