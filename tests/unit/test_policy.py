"""From score, rules and lists to an action with reasons."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import features, policy
from fraud.bootstrap import POLICY
from fraud.decision import Action, Score
from fraud.errors import InvalidPolicy
from fraud.policy import Policy, Verdict
from tests.fakes import samples

NOTHING_KNOWN: dict[str, float | None] = dict.fromkeys(features.NAMES)
MODEL = samples.model()


def rule(phase: str, action: str, *conditions: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    when = conditions or ({"field": "amount_minor", "at_least": 0},)
    return {"name": f"{phase} {action}", "phase": phase, "when": when, "action": action, "reason": reason or action}


def load(*rules: dict[str, Any], **lists: list[str]) -> Policy:
    return policy.load(json.dumps({"version": "1", "lists": lists, "rules": rules}).encode())


def decide(
    document: Policy, score: float | None = None, causes: tuple[str, ...] = (), row: Any = None, **fields: Any
) -> Verdict:
    given_score = None if score is None else Score(score, causes)
    transaction = samples.accepted(**fields).transaction
    return policy.decide(
        document, transaction, NOTHING_KNOWN | (row or {}), given_score, MODEL if given_score else None
    )


@pytest.mark.parametrize(
    ("score", "action"),
    [(0.0, "approve"), (0.4999, "approve"), (0.5, "review"), (0.8999, "review"), (0.9, "block"), (1.0, "block")],
)
def test_decide_score_meets_the_models_own_thresholds(score: float, action: str) -> None:
    assert decide(load(), score).action == action


def test_decide_flagged_score_gives_its_causes_in_words() -> None:
    verdict = decide(load(), 0.95, causes=("card_count_15m",), row={"card_count_15m": 9.0})
    assert verdict.reasons == ("9 earlier transactions on this card within 15 minutes",)


def test_decide_flagged_score_without_causes_still_has_a_reason() -> None:
    assert decide(load(), 0.7).reasons == ("the model's score of 0.700 is high",)


def test_decide_approval_needs_no_reason() -> None:
    assert decide(load(), 0.1) == Verdict(Action.APPROVE)


@pytest.mark.parametrize("action", ["approve", "block"])
def test_decide_before_rule_settles_whatever_the_model_says(action: str) -> None:
    document = load(
        rule("before", action, {"field": "card_token", "in": "cards"}), rule("after", "review"), cards=["c1"]
    )
    assert decide(document, 0.95 if action == "approve" else 0.0) == Verdict(Action(action), (action,))
    assert decide(document, 0.6, card="c2").action == "review"


def test_decide_first_before_rule_wins() -> None:
    assert decide(load(rule("before", "review"), rule("before", "block"))).action == "review"


def test_decide_after_rule_raises_and_adds_its_reason() -> None:
    verdict = decide(load(rule("after", "block", reason="too large")), 0.6, causes=("card_count_1h",))
    assert verdict.action == "block"
    assert verdict.reasons[-1] == "too large" and len(verdict.reasons) == 2


@given(st.sampled_from([None, 0.1, 0.6, 0.95]), st.lists(st.sampled_from(["review", "block"]), max_size=4))
def test_decide_after_rules_never_lower_the_action(score: float | None, actions: list[str]) -> None:
    before = decide(load(), score).action
    after = decide(load(*(rule("after", action) for action in actions)), score).action
    assert after.severity == max([before.severity, *(Action(action).severity for action in actions)])


def test_decide_fallback_rules_apply_only_without_a_score() -> None:
    document = load(rule("fallback", "review"))
    assert decide(document).action == "review"
    assert decide(document, 0.1).action == "approve"


def test_decide_after_rules_apply_to_the_fallback_too() -> None:
    assert decide(load(rule("fallback", "review"), rule("after", "block"))).action == "block"


def test_decide_without_model_and_rules_approves() -> None:
    assert decide(load()) == Verdict(Action.APPROVE)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"field": "amount_minor", "at_least": 1000}, True),
        ({"field": "amount_minor", "at_least": 1001}, False),
        ({"field": "amount_minor", "below": 1000}, False),
        ({"field": "amount_minor", "at_least": 500, "below": 1001}, True),
        ({"field": "amount_minor", "equals": 1000}, True),
        ({"field": "currency", "equals": "EUR"}, True),
        ({"field": "currency", "equals": "USD"}, False),
        ({"field": "currency", "in": "currencies"}, True),
        ({"field": "currency", "not_in": "currencies"}, False),
        ({"field": "country", "not_in": "currencies"}, False),
        ({"field": "channel", "equals": "pos"}, False),
        ({"field": "card_count_15m", "below": 5}, False),
        ({"field": "score", "below": 1}, False),
    ],
)
def test_decide_condition_holds_or_not(condition: dict[str, Any], holds: bool) -> None:
    document = load(rule("after", "block", condition), currencies=["EUR"])
    assert (decide(document).action == "block") == holds


def test_decide_all_conditions_of_a_rule_must_hold() -> None:
    conditions = ({"field": "currency", "equals": "EUR"}, {"field": "amount_minor", "at_least": 5000})
    document = load(rule("after", "block", *conditions))
    assert decide(document).action == "approve"
    assert decide(document, amount_minor=5000).action == "block"


@pytest.mark.parametrize(
    ("condition", "phase", "complaint"),
    [
        ({"field": "shoe_size", "equals": 1}, "after", "unknown field"),
        ({"field": "occurred_at", "equals": 1}, "after", "unknown field"),
        ({"field": "score", "below": 1}, "before", "no score yet"),
        ({"field": "currency", "in": "absent"}, "after", "unknown list"),
        ({"field": "currency", "not_in": "absent"}, "after", "unknown list"),
        ({"field": "currency"}, "after", "tests nothing"),
        ({"field": "currency", "equal": "EUR"}, "after", "unknown field"),
    ],
)
def test_load_rule_that_cannot_work_is_refused(condition: dict[str, Any], phase: str, complaint: str) -> None:
    with pytest.raises(InvalidPolicy, match=complaint):
        load(rule(phase, "review", condition))


def test_load_rule_that_would_lower_an_action_is_refused() -> None:
    with pytest.raises(InvalidPolicy, match="only raise"):
        load(rule("after", "approve"))


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "amount_minor", "in": "currencies"},
        {"field": "country", "at_least": 5},
        {"field": "card_count_1h", "not_in": "currencies"},
        {"field": "amount_minor", "equals": "1000"},
        {"field": "currency", "equals": 978},
    ],
)
def test_load_test_that_can_never_hold_is_refused(condition: dict[str, Any]) -> None:
    with pytest.raises(InvalidPolicy, match="cannot be tested like that"):
        load(rule("before", "block", condition), currencies=["EUR"])


@pytest.mark.parametrize("text", [b"", b"[]", b'{"version": "1"}', b'{"version": "a b", "lists": {}, "rules": []}'])
def test_load_malformed_document_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidPolicy):
        policy.load(text)


def test_load_version_shows_every_edit() -> None:
    one, other = load(), load(rule("after", "review"))
    assert one.version.startswith("1+") and one.version != other.version


def test_load_shipped_document_reviews_large_amounts_without_a_model() -> None:
    document = policy.load(POLICY.read_bytes())
    assert decide(document, amount_minor=49_999).action == "approve"
    assert decide(document, amount_minor=50_000).action == "review"
    assert decide(document, 0.1, amount_minor=1_000_000).action == "review"
