"""Whether a fraud's amount was ordinary for its card is settled by its decision, and counted at its terminal."""

import pytest

from fraud.entities import TERMINAL_DAYS
from tests.fakes import samples
from tests.fakes.samples import DAY, NOW, label_message, record
from tests.fakes.world import World, folded


def ordinary_frauds(world: World) -> tuple[int, ...]:
    """Frauds that the terminal knows, and how many of them were ordinary."""
    state = world.stores.entity("terminal#m1")
    return tuple(folded(state, TERMINAL_DAYS)[1:])


@pytest.fixture
def decided(world: World) -> None:
    """A card of amounts around ten; then one that is usual for it, and one that is not."""
    amounts = {"old": 1000, "older": 1100, "usual": 1200, "large": 9000}
    events = [
        samples.payload(key, at=NOW - 10 * DAY + number * DAY, amount_minor=amount)
        for number, (key, amount) in enumerate(amounts.items())
    ]
    assert world.score([record(number, event) for number, event in enumerate(events)]) == []


@pytest.mark.usefixtures("decided")
def test_label_fraud_of_an_ordinary_amount_is_counted_as_ordinary(world: World) -> None:
    assert world.label([label_message(1, "usual"), label_message(2, "large")]) == []
    assert ordinary_frauds(world) == (2, 1)


@pytest.mark.usefixtures("decided")
def test_label_withdrawn_takes_an_ordinary_fraud_back_as_one(world: World) -> None:
    assert world.label([label_message(1, "usual"), label_message(2, "large")]) == []
    assert world.label([label_message(3, "usual", is_fraud=False, at=NOW + 60)]) == []
    assert ordinary_frauds(world) == (1, 0)


def test_label_before_its_transaction_is_counted_as_its_decision_says(
    world: World, request: pytest.FixtureRequest
) -> None:
    assert world.label([label_message(1, "usual"), label_message(2, "large")]) == []
    request.getfixturevalue("decided")
    assert world.project(world.stores.stream()) == []
    assert ordinary_frauds(world) == (2, 1)
