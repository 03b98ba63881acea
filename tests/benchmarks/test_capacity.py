"""Request units and item sizes, by the examples and rules of DynamoDB's documentation."""

from typing import Any

import pytest

from benchmarks.capacity import Consumed, UnknownOperation, charge, item_size, units

KEY = frozenset({"id", "card"})
INDEXES = [KEY, frozenset({"id", "queue"})]


def put(size: int, **attributes: Any) -> dict[str, Any]:
    """A put of an item of a size in bytes, further attributes not counted."""
    return {"TableName": "decisions", "Item": {"id": {"S": "x" * (size - 2)}, **attributes}}


def charged(operation: str, request: dict[str, Any], answer: dict[str, Any] | None = None) -> Consumed:
    consumed = Consumed()
    charge(consumed, operation, request, answer or {}, lambda table: INDEXES)
    return consumed


@pytest.mark.parametrize(
    ("attribute", "size"),
    [
        ({"S": "é"}, 2),
        ({"N": "27"}, 2),
        ({"N": "-27"}, 3),
        ({"N": "1700000000"}, 2),
        ({"N": "0.123456"}, 4),
        ({"N": "0"}, 2),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"B": b"four"}, 4),
        ({"L": []}, 3),
        ({"L": [{"S": "ab"}, {"S": "c"}]}, 8),
        ({"M": {"key": {"S": "value"}}}, 12),
    ],
)
def test_item_size_of_an_attribute_is_its_name_and_its_value(attribute: dict[str, Any], size: int) -> None:
    assert item_size({"name": attribute}) == 4 + size


@pytest.mark.parametrize(("size", "expected"), [(0, 1), (1, 1), (1024, 1), (1025, 2), (3500, 4)])
def test_units_are_rounded_up_and_never_none(size: int, expected: int) -> None:
    assert units(size, 1024) == expected


@pytest.mark.parametrize(("size", "expected"), [(1024, 1), (1025, 2)])
def test_put_item_costs_a_unit_per_kb(size: int, expected: int) -> None:
    assert charged("PutItem", put(size)).writes == expected


@pytest.mark.parametrize(("size", "expected"), [(1024, 2), (1025, 4)])
def test_transactional_put_costs_two_units_per_kb_of_each_item(size: int, expected: int) -> None:
    request = {"TransactItems": [{"Put": put(size)}, {"Put": put(10)}]}
    consumed = charged("TransactWriteItems", request)
    assert consumed.writes == expected + 2
    assert consumed.sizes == {"decisions": [size, 10]}


def test_put_pays_for_the_indexes_the_item_appears_in() -> None:
    assert charged("PutItem", put(10)).index_writes == 0
    assert charged("PutItem", put(10, card={"S": "c"})).index_writes == 1
    assert charged("PutItem", put(10, card={"S": "c"}, queue={"S": "open"})).index_writes == 2


@pytest.mark.parametrize(("consistent", "expected"), [(True, 4), (False, 2)])
def test_batch_get_item_pays_for_each_item_and_for_what_is_absent(consistent: bool, expected: float) -> None:
    request = {"RequestItems": {"decisions": {"Keys": [{}, {}, {}], "ConsistentRead": consistent}}}
    answer = {"Responses": {"decisions": [put(4096)["Item"], put(4097)["Item"]]}}
    assert charged("BatchGetItem", request, answer).reads == expected


def test_unknown_operation_is_refused_rather_than_counted_as_nothing() -> None:
    with pytest.raises(UnknownOperation):
        charged("UpdateItem", {})
