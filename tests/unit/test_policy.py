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


def load(*rules: dict[str, Any], release_share: float | None = None, **lists: list[str]) -> Policy:
    document = {"version": "1", "lists": lists, "rules": rules}
    given = {} if release_share is None else {"release_share": release_share}
    return policy.load(json.dumps(document | given).encode())


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


# --- Releases ---------------------------------------------------------------------------------------------------------

SHARE = 0.05


def released(document: Policy, count: int, score: float = 0.95) -> set[str]:
    """Which of so many would-be blocks are sent to review."""
    names = [f"t{number}" for number in range(count)]
    return {name for name in names if decide(document, score, transaction_id=name).action == "review"}


def one_of_each(document: Policy) -> tuple[str, str]:
    """A transaction that is released, and one that is not."""
    chosen = released(document, 200)
    return min(chosen), min({f"t{number}" for number in range(200)} - chosen)


def test_decide_releases_nothing_unless_asked_to() -> None:
    assert released(load(), 2_000) == released(load(release_share=0), 2_000) == set()
    assert decide(load(), 0.95).propensity == 1.0


def test_decide_releases_the_share_of_would_be_blocks_that_was_asked_for() -> None:
    # Three standard deviations around a thousand.
    assert 908 <= len(released(load(release_share=SHARE), 20_000)) <= 1_092


def test_decide_release_goes_to_review_with_its_reason_and_its_probability() -> None:
    document = load(release_share=SHARE)
    chosen, other = one_of_each(document)
    cause = "the model's score of 0.950 is high"

    assert decide(document, 0.95, transaction_id=chosen) == Verdict(Action.REVIEW, (cause, policy.RELEASED), 0.05)
    assert decide(document, 0.95, transaction_id=other) == Verdict(Action.BLOCK, (cause,), 0.95)


def test_decide_release_is_repeated_by_a_retry_and_kept_by_a_larger_share_and_by_other_rules() -> None:
    document = load(release_share=0.02)

    assert released(document, 3_000) == released(document, 3_000)
    assert released(document, 3_000) < released(load(rule("after", "review"), release_share=SHARE), 3_000)


def test_decide_release_of_an_identifier_depends_on_the_card() -> None:
    document = load(release_share=SHARE)
    names = [f"t{number}" for number in range(2_000)]
    other = {name for name in names if decide(document, 0.95, transaction_id=name, card="c2").action == "review"}

    assert other and len(other & released(document, 2_000)) < len(other) / 4


@pytest.mark.parametrize("score", [0.1, 0.6])
def test_decide_releases_nothing_that_is_not_blocked(score: float) -> None:
    document = load(release_share=SHARE)
    verdicts = [decide(document, score, transaction_id=f"t{number}") for number in range(300)]

    assert {(verdict.action, verdict.propensity) for verdict in verdicts} == {
        (Action.APPROVE if score < 0.5 else Action.REVIEW, 1.0)
    }


@pytest.mark.parametrize("phase", ["before", "after", "fallback"])
def test_decide_releases_nothing_that_a_rule_or_a_list_blocks(phase: str) -> None:
    document = load(rule(phase, "block", {"field": "card_token", "in": "denied"}), release_share=SHARE, denied=["c1"])
    score = None if phase == "fallback" else 0.95
    verdicts = [decide(document, score, transaction_id=f"t{number}") for number in range(300)]

    assert {(verdict.action, verdict.propensity) for verdict in verdicts} == {(Action.BLOCK, 1.0)}


def test_decide_releases_what_a_rule_would_only_review() -> None:
    document = load(rule("after", "review", reason="large"), release_share=SHARE)
    chosen, _ = one_of_each(document)
    verdict = decide(document, 0.95, transaction_id=chosen)

    assert verdict.action == "review" and verdict.reasons[-2:] == ("large", policy.RELEASED)


@given(st.just(0.0) | st.floats(0.01, 0.05), st.text(min_size=1, max_size=8).map(lambda text: text.encode().hex()))
def test_decide_probabilities_of_both_actions_are_one_together(share: float, name: str) -> None:
    verdict = decide(load(release_share=share), 0.95, transaction_id=name)

    assert verdict.propensity == (share if verdict.action == "review" else 1 - share) and verdict.propensity > 0


@pytest.mark.parametrize("share", [-0.01, 0.0501, 1, "0.01", True])
def test_load_share_that_would_release_too_much_or_is_none_is_refused(share: Any) -> None:
    with pytest.raises(InvalidPolicy, match="release_share"):
        load(release_share=share)


@pytest.mark.parametrize("share", [0, 0.01, 0.05])
def test_load_share_that_releases_nothing_or_enough_is_taken(share: float) -> None:
    assert load(release_share=share).document.release_share == share


@pytest.mark.parametrize("share", [1e-9, 0.0005, 0.0099])
def test_load_share_that_would_release_too_little_to_learn_from_is_refused_and_says_why(share: float) -> None:
    with pytest.raises(InvalidPolicy, match=r"release_share is 0, or at least 0\.01: a release counts at most"):
        load(release_share=share)


def test_load_shipped_document_releases_nothing() -> None:
    assert policy.load(POLICY.read_bytes()).document.release_share == 0


# --- Conditions -------------------------------------------------------------------------------------------------------


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
