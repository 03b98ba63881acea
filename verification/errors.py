"""Why a run ends, or a probe cannot tell.

VerificationError
├── Refused         nothing was begun
├── TookTooLong     a bounded wait is over
└── StageFailed     what a probe needs could not be made
"""

from __future__ import annotations


class VerificationError(Exception):
    """Says in a sentence what was wrong."""


class Refused(VerificationError):
    """The account, or the request, is not for probes."""


class TookTooLong(VerificationError):
    """What was waited for did not come in its time."""


class StageFailed(VerificationError):
    """What a probe needs could not be made."""
