"""What jobs run, put where they find it: the same code gives the same address."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from fraud import job_source
from fraud.retraining_ports import RunFiles, SourceCode


@dataclass(frozen=True)
class JobCode:
    """Writes the source of jobs into the archive bucket.

    Args:
        source: what they run.
        files: of the bucket.
    """

    source: SourceCode
    files: RunFiles

    def archive(self) -> str:
        """URI of the source archive.

        Raises:
            StoreUnavailable: not known to be stored; storing again is safe.
        """
        content = self.source.archive()
        return self.files.write(f"source/{hashlib.sha256(content).hexdigest()[:16]}/{job_source.NAME}", content)
