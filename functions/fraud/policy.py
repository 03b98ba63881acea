"""From score, rules and lists to approve, review or block, with reasons in words.

The policy document is the customer's: small, declarative, versioned with the configuration. Three phases:

- `before`: the first rule that matches settles the action, whatever a model says (deny and allow lists).
- `fallback`: only when no model answered; every match may raise the action.
- `after`: every match may raise the action that the score (or the fallback) led to, never lower it.

What is blocked never shows what it was. A small share of what the score alone would block may therefore be released
to review, by a draw that a retry repeats; how probable an action was is kept with it, so that measurements can weight.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from fraud import features
from fraud.decision import Action, Score
from fraud.errors import InvalidPolicy
from fraud.routing import ServedModel
from fraud.transaction import Transaction

Value = str | int | float | None
TRANSACTION_FIELDS = frozenset(Transaction.__struct_fields__) - {"schema_version", "occurred_at"}
TEXT_FIELDS = TRANSACTION_FIELDS - {"amount_minor"}
TESTS = ("is_in", "not_in", "equals", "at_least", "below")
TESTS_OF = {True: frozenset({"is_in", "not_in", "equals"}), False: frozenset({"equals", "at_least", "below"})}
"""Which tests make sense for text, and which for numbers."""
MOST_RULES = 200
LEAST_RELEASED, MOST_RELEASED = 0.01, 0.05
"""Shares of would-be blocks that may be released, if any: most of these are fraud; and measurements count a release a
hundred times at most, so that fewer would not stand for all."""
RELEASED = "released from blocking to learn its outcome"
_DRAWS = 2**64


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One comparison; all that are given must hold. A field that is not known matches nothing.

    Args:
        field: a transaction field, a feature of the table, or `score`.
        is_in: name of a list that holds the value.
        not_in: name of a list that does not.
        equals: the value itself.
        at_least: lower bound, included.
        below: upper bound, excluded.
    """

    field: str
    is_in: str | None = msgspec.field(default=None, name="in")
    not_in: str | None = None
    equals: str | float | None = None
    at_least: float | None = None
    below: float | None = None


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule; it matches when all its conditions do."""

    name: Annotated[str, Meta(min_length=1, max_length=80)]
    phase: Literal["before", "after", "fallback"]
    when: Annotated[tuple[Condition, ...], Meta(min_length=1, max_length=10)]
    action: Action
    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The policy document as written.

    Args:
        version: of it.
        lists: of values, by name.
        rules: in the order in which they are tried.
        release_share: of what the score alone would block, how much is sent to review instead: 0, which releases
            nothing, or 0.01 to 0.05.
    """

    version: Annotated[str, Meta(pattern=r"^[A-Za-z0-9.-]{1,32}\Z")]
    lists: dict[str, frozenset[str]]
    rules: Annotated[tuple[Rule, ...], Meta(max_length=MOST_RULES)]
    release_share: Annotated[float, Meta(ge=0, le=MOST_RELEASED)] = 0.0


@dataclass(frozen=True)
class Policy:
    """A checked policy document.

    Args:
        document: rules and lists.
        version: the written version and a hash of the whole, so that an edit without a new version still shows.
    """

    document: Document
    version: str

    @cached_property
    def phases(self) -> Mapping[str, tuple[Rule, ...]]:
        """Rules by phase, in the order written."""
        rules = self.document.rules
        return {phase: tuple(r for r in rules if r.phase == phase) for phase in ("before", "fallback", "after")}


@dataclass(frozen=True, slots=True)
class Verdict:
    """An action with its reasons in words.

    Args:
        action: approve, review or block.
        reasons: in words.
        propensity: probability with which policy gives this action; 1 where nothing was left to chance.
    """

    action: Action
    reasons: tuple[str, ...] = ()
    propensity: float = 1.0


def load(text: bytes) -> Policy:
    """Read and check a policy document.

    Raises:
        InvalidPolicy: malformed, or naming a list, field or feature that does not exist.
    """
    try:
        document = msgspec.json.decode(text, type=Document)
    except msgspec.MsgspecError as error:
        raise InvalidPolicy(str(error)) from error
    if 0 < document.release_share < LEAST_RELEASED:
        raise InvalidPolicy(
            f"release_share is 0, or at least {LEAST_RELEASED}: a release counts at most a hundred times, and of a "
            "smaller share a week has too few to learn from"
        )
    for rule in document.rules:
        if rule.phase != "before" and rule.action is Action.APPROVE:
            raise InvalidPolicy(f"rule {rule.name!r}: only the phase 'before' may approve; the others only raise")
        for condition in rule.when:
            _check(rule, condition, document.lists)
    return Policy(document, f"{document.version}+{hashlib.blake2b(text, digest_size=4).hexdigest()}")


def _check(rule: Rule, condition: Condition, lists: Mapping[str, frozenset[str]]) -> None:
    known = condition.field in TRANSACTION_FIELDS or condition.field in features.BY_NAME or condition.field == "score"
    if not known:
        raise InvalidPolicy(f"rule {rule.name!r}: unknown field {condition.field!r}")
    if rule.phase == "before" and condition.field == "score":
        raise InvalidPolicy(f"rule {rule.name!r}: there is no score yet in the phase 'before'")
    for name in (condition.is_in, condition.not_in):
        if name is not None and name not in lists:
            raise InvalidPolicy(f"rule {rule.name!r}: unknown list {name!r}")
    _check_tests(rule, condition)


def _check_tests(rule: Rule, condition: Condition) -> None:
    """A condition that can never hold is a typing error, and in a deny rule a silent hole."""
    tests = [test for test in TESTS if getattr(condition, test) is not None]
    if not tests:
        raise InvalidPolicy(f"rule {rule.name!r}: the condition on {condition.field!r} tests nothing")
    is_text = condition.field in TEXT_FIELDS
    if not TESTS_OF[is_text].issuperset(tests) or (
        condition.equals is not None and isinstance(condition.equals, str) != is_text
    ):
        kind = "text" if is_text else "a number"
        raise InvalidPolicy(f"rule {rule.name!r}: {condition.field!r} is {kind}, and cannot be tested like that")


def decide(
    policy: Policy,
    transaction: Transaction,
    row: Mapping[str, float | None],
    score: Score | None,
    model: ServedModel | None,
) -> Verdict:
    """Decide one transaction.

    Args:
        policy: the document in force.
        transaction: what is decided.
        row: every feature of the table by name.
        score: the model's answer, or None when none answered.
        model: the model that answered; its thresholds apply to its score.
    """
    facts = _Facts(transaction, row, score, policy.document.lists)
    settled = next(_matching(policy.phases["before"], facts), None)
    if settled is not None:
        return Verdict(settled.action, (settled.reason,))
    after = tuple(_matching(policy.phases["after"], facts))
    if score is None or model is None:
        return _raised(_fall_back(policy, facts), after)
    judged = _judge(score, model, row)
    verdict = _raised(judged, after)
    if judged.action is not Action.BLOCK or any(rule.action is Action.BLOCK for rule in after):
        return verdict
    return _drawn(verdict, policy.document.release_share, transaction)


def _drawn(block: Verdict, share: float, transaction: Transaction) -> Verdict:
    """A block that nothing but the score asks for, or its release."""
    if not share:
        return block
    if _draw(transaction) < share:
        return Verdict(Action.REVIEW, (*block.reasons, RELEASED), share)
    return replace(block, propensity=1 - share)


def _draw(transaction: Transaction) -> float:
    """Between 0 and 1, the same at every attempt and under every policy.

    Whoever makes up transaction identifiers cannot aim at a release: the key is the card's token, a keyed hash itself.
    """
    digest = hmac.digest(transaction.card_token.encode(), f"release {transaction.transaction_id}".encode(), "sha256")
    return int.from_bytes(digest[:8], "big") / _DRAWS


def _judge(score: Score, model: ServedModel, row: Mapping[str, float | None]) -> Verdict:
    if score.value < model.review_threshold:
        return Verdict(Action.APPROVE)
    action = Action.BLOCK if score.value >= model.block_threshold else Action.REVIEW
    causes = tuple(features.in_words(name, row.get(name)) for name in score.causes)
    return Verdict(action, causes or (f"the model's score of {score.value:.3f} is high",))


def _fall_back(policy: Policy, facts: _Facts) -> Verdict:
    return _raised(Verdict(Action.APPROVE), _matching(policy.phases["fallback"], facts))


def _raised(verdict: Verdict, rules: Iterable[Rule]) -> Verdict:
    """The strictest action, with the reasons of all that led to review or block."""
    action, reasons = verdict.action, verdict.reasons
    for rule in rules:
        action = max(action, rule.action, key=lambda each: each.severity)
        reasons = (*reasons, rule.reason)
    return Verdict(action, reasons)


@dataclass(frozen=True, slots=True)
class _Facts:
    transaction: Transaction
    row: Mapping[str, float | None]
    score: Score | None
    lists: Mapping[str, frozenset[str]]

    def value(self, field: str) -> Value:
        if field == "score":
            return None if self.score is None else self.score.value
        if field in self.row:
            return self.row[field]
        found: Value = getattr(self.transaction, field)
        return found


def _matching(rules: Iterable[Rule], facts: _Facts) -> Iterator[Rule]:
    return (rule for rule in rules if all(_holds(condition, facts) for condition in rule.when))


def _holds(condition: Condition, facts: _Facts) -> bool:
    value = facts.value(condition.field)
    if value is None:
        return False
    return all(
        (
            condition.is_in is None or value in facts.lists[condition.is_in],
            condition.not_in is None or value not in facts.lists[condition.not_in],
            condition.equals is None or value == condition.equals,
            _within(condition, value),
        )
    )


def _within(condition: Condition, value: str | float) -> bool:
    if condition.at_least is None and condition.below is None:
        return True
    if isinstance(value, str):
        return False
    return (condition.at_least is None or value >= condition.at_least) and (
        condition.below is None or value < condition.below
    )
