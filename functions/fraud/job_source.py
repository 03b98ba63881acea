"""What SageMaker jobs run, as an archive: the scripts at its root, beside the packages that they import.

The same content gives the same bytes, so the archive's hash says whether anything changed. The container installs
nothing of this project; what is packed here imports only what the image has.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

NAME = "source.tar.gz"
SCRIPTS = ("train.py", "examine.py", "evaluate.py", "baseline.py", "monitor.py")
CORE = ("__init__.py", "drift.py", "entities.py", "features.py", "windows.py")
KINDS = (".py", ".json", ".html")


def build(model: Path, core: Path) -> bytes:
    """The archive.

    Args:
        model: directory of the package `model`.
        core: directory of the package `fraud`.
    """
    files = {name: (model / name).read_bytes() for name in SCRIPTS}
    files |= {f"model/{path.name}": path.read_bytes() for path in _sources(model)}
    files |= {f"fraud/{name}": (core / name).read_bytes() for name in CORE}
    return pack(files)


def pack(files: Mapping[str, bytes]) -> bytes:
    """A .tar.gz of files by their names; owner, mode and time are constants."""
    content = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=content, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            tar.addfile(member, io.BytesIO(files[name]))
    return content.getvalue()


def _sources(model: Path) -> Iterator[Path]:
    return (path for path in sorted(model.iterdir()) if path.suffix in KINDS)
