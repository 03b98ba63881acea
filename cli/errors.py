"""What the command line refuses to do, said in one sentence.

CommandError
└── NotFound
"""


class CommandError(Exception):
    """The command cannot go on; the message says why and what to do about it."""


class NotFound(CommandError):
    """What was asked for does not exist."""
