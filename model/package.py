"""Archives as SageMaker takes them: the model package, and the source of the training job.

Both are deterministic: the same content gives the same bytes, so an archive's hash says whether anything changed.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

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


def build_archive(model_dir: Path, archive: Path) -> dict[str, Any]:
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


def verify(archive: Path) -> dict[str, Any]:
    """Check that a package is whole, of known shape, and that its model gives the scores it promises.

    Raises:
        InvalidPackage: with the first thing found wrong.
    """
    files = _read(archive)
    document = _parse(files["package.json"])
    _check_contract(document)
    _check_numbers(document)
    _check_scores(files, document)
    return document


def _check_contract(document: Mapping[str, Any]) -> None:
    names = document["contract"]["names"]
    unknown = sorted(set(names) - set(features.NAMES))
    _require(not unknown, f"the contract names features that are not computed: {', '.join(unknown)}")
    _require(bool(names) and len(set(names)) == len(names), "the contract is empty or names a feature twice")
    _require(features.contract_hash(names) == document["contract"]["hash"], "the contract does not match its hash")


def _check_numbers(document: Mapping[str, Any]) -> None:
    review, block = document["thresholds"]["review"], document["thresholds"]["block"]
    quantiles, names = document["score_quantiles"], document["contract"]["names"]
    _require(0 < review <= block <= 1, "the thresholds are not 0 < review <= block <= 1")
    _require(len(quantiles) == 101, "there are not 101 score quantiles")
    _require(all(low <= high for low, high in pairwise(quantiles)), "the score quantiles do not ascend")
    _require(set(document["baseline"]) == set(names), "the baseline is not of the contract's features")
    vectors = document["smoke_vectors"]
    _require(bool(vectors), "there are no smoke vectors")
    _require(all(len(vector["features"]) == len(names) for vector in vectors), "a smoke vector has another width")


def _check_scores(files: Files, document: Mapping[str, Any]) -> None:
    """Serve the smoke vectors as an endpoint would."""
    vectors = document["smoke_vectors"]
    body = "\n".join(",".join("" if v is None else repr(v) for v in vector["features"]) for vector in vectors)
    with tempfile.TemporaryDirectory() as directory:
        for name in ("model.ubj", "package.json"):
            Path(directory, name).write_bytes(files[name])
        try:
            loaded = inference.model_fn(directory)
            answer = inference.predict_fn(inference.input_fn(body, "text/csv"), loaded)
        except ValueError as error:  # XGBoostError is one
            raise InvalidPackage(f"the model cannot be loaded or does not answer: {error}") from error
    for given, vector in zip(answer["scores"], vectors, strict=True):
        near = given is not None and abs(given - vector["score"]) <= SMOKE_TOLERANCE
        _require(near, f"a smoke vector scores {given}, not {vector['score']}")


def _parse(text: bytes) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads(text)
        version = document["schema_version"]
        present = {"contract", "thresholds", "score_quantiles", "baseline", "smoke_vectors", "training"} <= set(document)
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidPackage("package.json is not a package document") from error
    _require(version == SCHEMA_VERSION, f"package.json has schema_version {version}, not {SCHEMA_VERSION}")
    _require(present, "package.json lacks a part")
    return document


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
