"""Queue mappings: the stand-in's poller is kept, what it does with a function's answer is not."""


def install() -> None:
    """Nothing yet."""
