"""Temporary."""
from typing import Any


class SageMaker:
    def __init__(self, *a: Any) -> None: ...
    def install(self) -> None: ...
