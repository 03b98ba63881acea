"""`fraud explain`: a decision in words."""

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.explain import elapsed, feature_words, label_sentence, money, score_sentence
from cli.main import app
from cli.target import Target
from fraud import features

LIMITS = {"review": 0.4, "block": 0.9}
DECISION: dict[str, Any] = {
    "transaction_id": {"S": "t1"},
    "card_token": {"S": "c" * 64},
    "terminal_id": {"S": "shop-1"},
    "occurred_at": {"S": "2026-05-01T10:00:00.000Z"},
    "arrived_at": {"S": "2026-05-01T10:00:02.000Z"},
    "decided_at": {"S": "2026-05-01T10:00:02.084Z"},
    "amount_minor": {"N": "12345"},
    "currency": {"S": "EUR"},
    "action": {"S": "review"},
    "score": {"N": "0.5"},
    "reasons": {"L": [{"S": "the amount is [unusual]"}]},
    "features": {"S": json.dumps([12345 if each == "transaction_amount" else None for each in features.NAMES])},
    "contract": {"S": features.contract_hash(features.NAMES)},
    "model_package": {"S": "arn:a"},
    "slot": {"S": "a"},
    "served_by": {"S": "a"},
    "epoch": {"N": "1"},
    "policy_version": {"S": "1"},
    "degraded": {"BOOL": False},
}


@pytest.fixture
def decided(stack: Target) -> Target:
    stack.client("dynamodb").put_item(TableName="DecisionTable", Item=DECISION)
    return stack


def route(stack: Target, package: str) -> None:
    model = {"model_package": package, "review_threshold": {"N": "0.4"}}
    item = {
        "pk": {"S": "routing"},
        "sk": {"S": "routing"},
        "slots": {
            "M": {
                "a": {
                    "M": {
                        "model_package": {"S": model["model_package"]},
                        "review_threshold": {"N": "0.4"},
                        "block_threshold": {"N": "0.9"},
                    }
                }
            }
        },
    }
    stack.client("dynamodb").put_item(TableName="RolloutTable", Item=item)


def test_explain_says_action_reason_threshold_and_time(decided: Target, runner: CliRunner) -> None:
    route(decided, "arn:a")
    result = runner.invoke(app, ["explain", "t1"])
    assert result.exit_code == 0
    for words in ("Sent to review", "123.45 EUR at shop-1", "the amount is [unusual]", "≥ review threshold 0.4000",
                  "84 ms later", "minor units", "unknown", "Nothing became known"):  # fmt: skip
        assert words in result.stdout


@pytest.mark.parametrize(
    ("action", "propensity", "words"),
    [
        ("review", "0.02", "0.02 of what the score alone would block is released from blocking."),
        ("block", "0.98", "0.98 of what the score alone would block stays blocked."),
    ],
)
def test_explain_says_where_chance_had_a_say(
    stack: Target, runner: CliRunner, action: str, propensity: str, words: str
) -> None:
    drawn = {"action": {"S": action}, "propensity": {"N": propensity}}
    stack.client("dynamodb").put_item(TableName="DecisionTable", Item=DECISION | drawn)
    assert words in " ".join(runner.invoke(app, ["explain", "t1"]).stdout.split())
    assert json.loads(runner.invoke(app, ["explain", "t1", "--json"]).stdout)["propensity"] == float(propensity)


def test_explain_of_a_decision_without_chance_says_nothing_of_it(decided: Target, runner: CliRunner) -> None:
    assert "Chance" not in runner.invoke(app, ["explain", "t1"]).stdout
    assert json.loads(runner.invoke(app, ["explain", "t1", "--json"]).stdout)["propensity"] == 1


def test_explain_json_carries_thresholds_and_readable_features(decided: Target, runner: CliRunner) -> None:
    route(decided, "arn:a")
    account = json.loads(runner.invoke(app, ["explain", "t1", "--json"]).stdout)
    assert account["thresholds"] == LIMITS
    assert account["features"] == dict.fromkeys(features.NAMES) | {"transaction_amount": 12345}


def test_explain_of_an_earlier_feature_table_gives_values_by_position(stack: Target, runner: CliRunner) -> None:
    earlier = {"features": {"S": "[7,null]"}, "contract": {"S": "0123456789abcdef"}}
    stack.client("dynamodb").put_item(TableName="DecisionTable", Item=DECISION | earlier)
    account = json.loads(runner.invoke(app, ["explain", "t1", "--json"]).stdout)
    assert account["features"] == {"feature 0": 7, "feature 1": None}


def test_explain_after_the_package_is_gone_still_explains(decided: Target, runner: CliRunner) -> None:
    route(decided, "arn:another")
    result = runner.invoke(app, ["explain", "t1"])
    assert result.exit_code == 0
    assert "no longer known" in result.stdout


def test_explain_unknown_transaction_is_one_line(stack: Target, runner: CliRunner) -> None:
    result = runner.invoke(app, ["explain", "nobody"])
    assert result.exit_code == 1
    assert "No decision on nobody" in result.stderr


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (0.1, "Score 0.1000 < review threshold 0.4000."),
        (0.4, "Score 0.4000 ≥ review threshold 0.4000, < block threshold 0.9000."),
        (0.9, "Score 0.9000 ≥ block threshold 0.9000."),
    ],
)
def test_score_sentence_compares_with_the_thresholds(score: float, words: str) -> None:
    assert score_sentence({"score": score, "thresholds": LIMITS}) == words


def test_score_sentence_without_a_model_says_so() -> None:
    assert score_sentence({"degraded": True}).endswith("and the decision is marked degraded.")


@pytest.mark.parametrize(
    ("later", "words"),
    [
        ("10:00:00.084", "84 ms"),
        ("10:00:02.500", "2.5 s"),
        ("10:30:00.000", "30.0 minutes"),
        ("13:00:00.000", "3.0 hours"),
    ],
)
def test_elapsed_takes_the_unit_a_person_would(later: str, words: str) -> None:
    assert elapsed("2026-05-01T10:00:00.000Z", f"2026-05-01T{later}Z") == words


@pytest.mark.parametrize(("currency", "words"), [("EUR", "1,234.56 EUR"), ("JPY", "123,456 JPY")])
def test_money_follows_the_currency(currency: str, words: str) -> None:
    assert money(123456, currency) == words


def test_feature_words_of_a_feature_that_is_gone_have_no_unit() -> None:
    assert feature_words({"retired": 2.0}) == {"retired": "2 "}


def test_label_sentence_says_what_became_known() -> None:
    label = {"is_fraud": True, "source": "chargeback", "labelled_at": "2026-05-08T00:00:00.000Z"}
    assert "fraud" in label_sentence(label) and "chargeback" in label_sentence(label)
