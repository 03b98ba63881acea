"""Who answers for a card: its slot, else the champion, else rules."""

import pytest

from fraud.deadline import Deadline
from fraud.decision import RULES, Score
from fraud.routing import Routing
from fraud.services.models import Answer, Models
from tests.fakes import samples
from tests.fakes.faults import Clock
from tests.fakes.world import ScriptedScorer

CARDS = [f"c{number}" for number in range(40)]
ROWS = [[float(number)] * 30 for number in range(40)]


def answers(routing: Routing | None, scorer: ScriptedScorer) -> list[Answer]:
    models = Models(scorer, Clock(0))
    return models.answer(routing, CARDS, ROWS, Deadline(lambda: 60.0))[0]


def test_answer_without_routing_is_left_to_rules() -> None:
    scorer = ScriptedScorer()
    assert {(each.slot, each.served_by, each.degraded) for each in answers(None, scorer)} == {(None, RULES, True)}
    assert scorer.asked == []


def test_answer_every_slot_is_asked_once_for_its_own_cards() -> None:
    scorer = ScriptedScorer({"fraud-b": lambda rows: [Score(0.9)] * len(rows)})
    found = answers(samples.routing(share_bps=5000, challenger="b"), scorer)
    assert sorted(scorer.asked) == ["fraud-a", "fraud-b"]
    assert {(each.slot, each.served_by, each.score) for each in found} == {
        ("a", "a", Score(0.1)),
        ("b", "b", Score(0.9)),
    }


def test_answer_scores_come_back_to_their_own_rows() -> None:
    scorer = ScriptedScorer()
    for slot in ("fraud-a", "fraud-b"):
        scorer.answers[slot] = lambda rows: [Score((row[0] or 0) / 100) for row in rows]
    found = answers(samples.routing(share_bps=5000, challenger="b"), scorer)
    assert [each.score and each.score.value for each in found] == [number / 100 for number in range(40)]


def test_answer_row_the_challenger_leaves_out_goes_to_the_champion() -> None:
    scorer = ScriptedScorer({"fraud-b": lambda rows: [None] * len(rows)})
    found = answers(samples.routing(share_bps=10_000, challenger="b"), scorer)
    assert {(each.slot, each.served_by, each.degraded) for each in found} == {("b", "a", True)}


@pytest.mark.parametrize(
    "broken",
    [samples.model("a", contract_hash="0" * 16), samples.model("a", contract=("card_shoe_size",))],
    ids=["another definition", "unknown feature"],
)
def test_answer_contract_that_the_code_cannot_serve_is_never_asked(broken: object) -> None:
    scorer = ScriptedScorer()
    found = answers(samples.routing(slots={"a": broken}), scorer)
    assert all(each.score is None and each.degraded for each in found)
    assert scorer.asked == []


def test_answer_challenger_without_a_slot_leaves_its_cards_to_the_champion() -> None:
    found = answers(samples.routing(share_bps=10_000, challenger="b", slots={"a": samples.model()}), ScriptedScorer())
    assert {(each.slot, each.served_by) for each in found} == {("b", "a")}


def test_answer_model_is_sent_only_what_its_contract_names() -> None:
    widths: list[set[int]] = []

    def note(rows: object) -> list[Score | None]:
        assert isinstance(rows, list)
        widths.append({len(row) for row in rows})
        return [Score(0.1)] * len(rows)

    answers(samples.routing(), ScriptedScorer({"fraud-a": note}))
    assert widths == [{3}]


def test_answer_challenger_that_answers_no_row_has_failed_and_opens_its_breaker() -> None:
    scorer = ScriptedScorer({"fraud-b": lambda rows: [None] * len(rows)})
    models = Models(scorer, Clock(0))
    routing = samples.routing(share_bps=10_000, challenger="b")
    calls = [models.answer(routing, CARDS, ROWS, Deadline(lambda: 60.0))[1] for _ in range(4)]
    assert [(each.slot, each.unanswered, each.failed) for each in calls[0]] == [("b", 40, True), ("a", 0, False)]
    assert scorer.asked.count("fraud-b") == 3
