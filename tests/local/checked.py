"""Answers of the laptop's SageMaker against the service's own model."""

from collections.abc import Iterator
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape


def missing(shape: Shape | None, value: Any, path: str = "") -> Iterator[str]:
    """Required members that an answer lacks."""
    if isinstance(shape, StructureShape):
        yield from (f"{path}.{name}" for name in shape.required_members if name not in value)
        for name in value.keys() & shape.members.keys():
            yield from missing(shape.members[name], value[name], f"{path}.{name}")
    elif isinstance(shape, ListShape):
        for item in value:
            yield from missing(shape.member, item, f"{path}[]")
    elif isinstance(shape, MapShape):
        for item in value.values():
            yield from missing(shape.value, item, f"{path}{{}}")


class Checked:
    """A client whose every answer is checked against the service's model; it notes what was called."""

    def __init__(self, client: Any, called: set[str]) -> None:
        self._client = client
        self._called = called

    def __getattr__(self, method: str) -> Any:
        operation = self._client.meta.method_to_api_mapping[method]

        def call(**parameters: Any) -> Any:
            answer = getattr(self._client, method)(**parameters)
            shape = self._client.meta.service_model.operation_model(operation).output_shape
            assert list(missing(shape, answer)) == []
            self._called.add(operation)
            return answer

        return call
