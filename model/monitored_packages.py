"""Packages that a job of monitoring is given, each alone in a folder."""

from __future__ import annotations

from pathlib import Path

from model import packaged
from model.packaged import Packaged, UnusablePackage


def load(folder: Path, role: str) -> Packaged:
    """The one package of a folder.

    Args:
        folder: where it lies, whatever it is called.
        role: what it is called in messages.

    Raises:
        UnusablePackage: there is none, or more than one, or it cannot be loaded.
    """
    archives = sorted(folder.glob("*.tar.gz"))
    if len(archives) != 1:
        raise UnusablePackage(f"{folder} holds {len(archives)} archives, not the {role}'s alone")
    return packaged.load(archives[0], role)
