"""Archives as SageMaker takes them: the model package, and the source of the training job.

Both are deterministic: the same content gives the same bytes, so an archive's hash says whether anything changed.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

import fraud
from fraud import features
from fraud.errors import InvalidPackage
from model import inference

Files = Mapping[str, bytes]
"""Path in the archive → content."""

SCHEMA_VERSION = 1
LARGEST_MODEL = 200 * 1024 * 1024
LARGEST_DOCUMENT = 1024 * 1024
LARGEST_CODE = 1024 * 1024
_LIMITS = {"model.ubj": LARGEST_MODEL, "package.json": LARGEST_DOCUMENT, "code/inference.py": LARGEST_CODE}
"""All that a package consists of."""

_MODEL, _CORE = Path(inference.__file__).parent, Path(fraud.__file__).parent
# All that `train.py` imports, and what that imports: the container has nothing of this project.
_MODEL_SOURCES = ("__init__.py", "distributions.py", "inference.py", "params.json", "thresholds.py")
_CORE_SOURCES = ("__init__.py", "entities.py", "features.py", "windows.py")
SMOKE_TOLERANCE = 1e-5

Score = Annotated[float, Meta(ge=0, le=1)]


class Contract(Struct, frozen=True):
    """The model's inputs in their order, and the hash that binds it to their meaning."""

    names: Annotated[list[str], Meta(min_length=1)]
    hash: str


class Thresholds(Struct, frozen=True):
    """Scores at or above `review` go to people, at or above `block` are refused."""

    review: Score
    block: Score


class Histogram(Struct, frozen=True):
    """A feature in training; see `model.distributions.Histogram`."""

    edges: list[float]
    counts: list[int]
    missing: int


class SmokeVector(Struct, frozen=True):
    """A real row, and the score every server of the package must give it."""

    features: list[float | None]
    score: Score


class Document(Struct, frozen=True):
    """`package.json`: all that serving and monitoring must know of a model.

    Args:
        model_sha256: of model.ubj; XGBoost crashes on some damaged files, so it is looked at before loading.
        score_quantiles: 0th to 100th percentile of the scores in validation.
        baseline: a histogram for every feature of the contract.
        training: where the model comes from, for people.
    """

    schema_version: int
    model_sha256: str
    contract: Contract
    thresholds: Thresholds
    score_quantiles: Annotated[list[Score], Meta(min_length=101, max_length=101)]
    baseline: dict[str, Histogram]
    smoke_vectors: Annotated[list[SmokeVector], Meta(min_length=1)]
    training: dict[str, Any]


def build_archive(model_dir: Path, archive: Path) -> Document:
    """Pack what a training job left in its model directory; returns the package document.

    Raises:
        InvalidPackage: it could not be served.
    """
    _write(archive, {name: _content(model_dir, name) for name in _LIMITS})
    return verify(archive)


def build_source(archive: Path) -> None:
    """Pack what the training job runs: `train.py` at the root, beside the packages it imports."""
    files = {"train.py": (_MODEL / "train.py").read_bytes()}
    files |= {f"model/{name}": (_MODEL / name).read_bytes() for name in _MODEL_SOURCES}
    files |= {f"fraud/{name}": (_CORE / name).read_bytes() for name in _CORE_SOURCES}
    _write(archive, files)


def verify(archive: Path) -> Document:
    """Check that a package is whole, of known shape, and that its model gives the scores it promises.

    Raises:
        InvalidPackage: with the first thing found wrong.
    """
    files = _read(archive)
    document = _parse(files["package.json"])
    _check_contract(document)
    _check_numbers(document)
    digest = hashlib.sha256(files["model.ubj"]).hexdigest()
    _require(digest == document.model_sha256, "model.ubj is not the file that package.json describes")
    _check_scores(files, document)
    return document


def _parse(text: bytes) -> Document:
    try:
        document = msgspec.json.decode(text, type=Document)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidPackage(f"package.json is not a package document: {error}") from error
    version = document.schema_version
    _require(version == SCHEMA_VERSION, f"package.json has schema_version {version}, not {SCHEMA_VERSION}")
    return document


def _check_contract(document: Document) -> None:
    names = document.contract.names
    unknown = sorted(set(names) - set(features.NAMES))
    _require(not unknown, f"the contract names features that are not computed: {', '.join(unknown)}")
    _require(len(set(names)) == len(names), "the contract names a feature twice")
    _require(features.contract_hash(names) == document.contract.hash, "the contract does not match its hash")


def _check_numbers(document: Document) -> None:
    width = len(document.contract.names)
    _require(0 < document.thresholds.review <= document.thresholds.block, "the thresholds are not 0 < review <= block")
    _require(all(low <= high for low, high in pairwise(document.score_quantiles)), "the score quantiles do not ascend")
    _require(set(document.baseline) == set(document.contract.names), "the baseline is not of the contract's features")
    _require(all(len(v.features) == width for v in document.smoke_vectors), "a smoke vector has another width")


def _check_scores(files: Files, document: Document) -> None:
    """Serve the smoke vectors as an endpoint would."""
    body = "\n".join(
        ",".join("" if value is None else repr(value) for value in vector.features) for vector in document.smoke_vectors
    )
    with tempfile.TemporaryDirectory() as directory:
        for name in ("model.ubj", "package.json"):
            Path(directory, name).write_bytes(files[name])
        try:
            loaded = inference.model_fn(directory)
            scores = inference.predict_fn(inference.input_fn(body, "text/csv"), loaded)["scores"]
        except ValueError as error:  # XGBoostError is one
            raise InvalidPackage(f"the model cannot be loaded or does not answer: {error}") from error
    for score, vector in zip(scores, document.smoke_vectors, strict=True):
        near = score is not None and abs(score - vector.score) <= SMOKE_TOLERANCE
        _require(near, f"a smoke vector scores {score}, not {vector.score}")


def _read(archive: Path) -> dict[str, bytes]:
    """Exactly the files of a package: nothing more may come with a model, and nothing large."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            members = {member.name.removeprefix("./"): member for member in tar.getmembers() if not member.isdir()}
            for name, limit in _LIMITS.items():
                _require(name in members and members[name].isfile(), f"the archive lacks {name}")
                _require(members[name].size <= limit, f"{name} is larger than {limit} bytes")
            extra = sorted(set(members) - set(_LIMITS))
            _require(not extra, f"the archive holds more than a package: {', '.join(extra)}")
            return {name: _extract(tar, members[name]) for name in _LIMITS}
    except (tarfile.TarError, OSError, EOFError) as error:
        raise InvalidPackage("the archive cannot be read") from error


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    return file.read() if file is not None else b""


def _content(directory: Path, name: str) -> bytes:
    path = directory / name
    _require(path.is_file(), f"{name} is missing")
    return path.read_bytes()


def _write(archive: Path, files: Files) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(name)  # owner, mode and time are TarInfo's constants
            member.size = len(files[name])
            tar.addfile(member, io.BytesIO(files[name]))


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidPackage(message)
