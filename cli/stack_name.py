"""What a stack may be called."""

from cli.errors import CommandError


def require_short(name: str) -> None:
    """Refuse a name that its jobs cannot carry whole: their roles' policies would not match them.

    Raises: CommandError.
    """
    from fraud.retraining import LONGEST_PREFIX

    if len(name) > LONGEST_PREFIX:
        raise CommandError(
            f"{name} has {len(name)} characters; a stack may have {LONGEST_PREFIX} at most, for its jobs are named "
            "after it: choose a shorter --stack-name."
        )
