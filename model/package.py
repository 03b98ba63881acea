"""Archives as SageMaker takes them: the model package, and the source of the jobs.

Both are deterministic: the same content gives the same bytes, so an archive's hash says whether anything changed.
"""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

import fraud
from fraud import job_source, model_package
from fraud.errors import InvalidPackage
from fraud.model_package import PackageDocument
from model import inference, model_card

PARTS = model_package.PARTS | {model_card.NAME}
"""What an archive made here holds: all that serving needs, and the card for people."""


def build_archive(model_dir: Path, archive: Path) -> PackageDocument:
    """Pack what a training job left in its model directory; returns the package document.

    Raises:
        InvalidPackage: it could not be served.
    """
    _write(archive, job_source.pack({name: _content(model_dir, name) for name in PARTS}))
    return verify(archive)


def build_source(archive: Path) -> None:
    """Pack what jobs run."""
    model, core = Path(inference.__file__).parent, Path(fraud.__file__).parent
    _write(archive, job_source.build(model, core))


def verify(archive: Path) -> PackageDocument:
    """Check that a package is whole, that its document holds, and that its model gives the scores it promises.

    Raises:
        InvalidPackage: with the first thing found wrong.
    """
    content = archive.read_bytes()
    text = model_package.document_in(content)
    document = model_package.parse(text)
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, model_package.DOCUMENT).write_bytes(text)
        Path(directory, "model.ubj").write_bytes(_member(content, "model.ubj"))
        model_package.check_scores(document, _scores(directory, document))
    return document


def _scores(model_dir: str, document: PackageDocument) -> list[float | None]:
    """The smoke vectors, served as an endpoint would."""
    rows = (["" if value is None else repr(value) for value in each.features] for each in document.smoke_vectors)
    body = "\n".join(",".join(row) for row in rows)
    try:
        model = inference.model_fn(model_dir)
    except ValueError as error:  # XGBoostError is one
        raise InvalidPackage(f"the model cannot be loaded: {error}") from error
    return inference.predict_fn(inference.input_fn(body, "text/csv"), model)["scores"]


def _member(archive: bytes, name: str) -> bytes:
    """A file that is known to be there; the training platform writes `./` before names."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        found = next(member for member in tar if member.isfile() and member.name.removeprefix("./") == name)
        file = tar.extractfile(found)
        return file.read() if file is not None else b""


def _content(directory: Path, name: str) -> bytes:
    path = directory / name
    if not path.is_file():
        raise InvalidPackage(f"{name} is missing")
    return path.read_bytes()


def _write(archive: Path, content: bytes) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    archive.write_bytes(content)
