"""Mutants: what no longer holds when one text of the application is another, and the fault rows that must notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """One replaced text.

    Args:
        name: what no longer holds.
        rows: of the fault table; the tests that name any of them must turn red, row by row.
        path: inside `functions/`.
        old: the text as it is; must be there exactly once.
        new: the text that takes its place.
    """

    name: str
    rows: tuple[int, ...]
    path: str
    old: str
    new: str


SCORING = "fraud/services/scoring.py"
PROJECTION = "fraud/services/projection.py"
LABELLING = "fraud/services/labelling.py"
MODELS = "fraud/services/models.py"
TRANSACTION = "fraud/transaction.py"
DECISION_LOG = "fraud/aws/decision_log.py"
ENTITY_ITEMS = "fraud/aws/entity_items.py"
ENDPOINT = "fraud/aws/endpoint.py"

TABLE = (
    Mutant(
        "a decision is written although one stands",
        (1, 2, 4, 5, 11),
        DECISION_LOG,
        '"attribute_not_exists(transaction_id) OR expires_at <= :now"',
        '"attribute_not_exists(transaction_id) OR expires_at > :now OR expires_at <= :now"',
    ),
    Mutant(
        "a card is written although another writer moved it",
        (5, 20),
        ENTITY_ITEMS,
        '"version = :read"',
        '"attribute_exists(entity) OR version = :read"',
    ),
    Mutant(
        "a new card is written although another writer made it first",
        (5, 20),
        ENTITY_ITEMS,
        'return {"ConditionExpression": "attribute_not_exists(entity)"}',
        "return {}",
    ),
    Mutant(
        "a follow-up of a failed commit is written",
        (20,),
        SCORING,
        "self._strip(pack, cancellation)\n        self.moved |= keys_written",
        "self._strip(pack, cancellation)",
    ),
    Mutant(
        "any content counts as a repetition",
        (2,),
        SCORING,
        "elif stands == accepted.payload_hash:",
        "elif stands:",
    ),
    Mutant(
        "an id is remembered before its decision is written",
        (3, 12),
        SCORING,
        "self._keep(admission.accepted)",
        "seen = globals().setdefault('SEEN', set())\n"
        "        fresh = [each for each in admission.accepted if each.transaction.transaction_id not in seen]\n"
        "        seen.update(each.transaction.transaction_id for each in fresh)\n"
        "        self._keep(fresh)",
    ),
    Mutant(
        "a lost answer counts as written",
        (6, 11, 12, 19),
        SCORING,
        "except StoreUnavailable:\n            self._keep(_accepted(pack))",
        "except StoreUnavailable:\n            self._note(pack)",
    ),
    Mutant(
        "what failed is not reported",
        (6, 11, 19),
        SCORING,
        "undecided = [each.sequence_number for rows in self.pending.values() for each in rows]",
        "undecided: list[str] = []",
    ),
    Mutant(
        "the highest sequence number is reported first",
        (6,),
        SCORING,
        "packing.in_order(list(self.records), undecided",
        "packing.in_order(list(self.records)[::-1], undecided",
    ),
    Mutant(
        "what is no JSON stops the batch",
        (7,),
        TRANSACTION,
        "except (msgspec.DecodeError, UnicodeDecodeError):",
        "except UnicodeDecodeError:",
    ),
    Mutant(
        "what is nested too deeply stops the batch",
        (7,),
        TRANSACTION,
        'except RecursionError:\n        raise InvalidTransaction("too_deep"',
        'except ZeroDivisionError:\n        raise InvalidTransaction("too_deep"',
    ),
    Mutant(
        "bad base64 stops the batch",
        (7,),
        "fraud/intake.py",
        "except ValueError:\n        return data.encode()",
        "except ValueError:\n        raise",
    ),
    Mutant("a negative amount is accepted", (8,), TRANSACTION, "Meta(ge=1, le=LARGEST", "Meta(ge=-5, le=LARGEST"),
    Mutant("an endless amount is accepted", (8,), TRANSACTION, "le=LARGEST_AMOUNT_MINOR)", "le=2**62)"),
    Mutant(
        "a date that cannot be written is accepted", (8,), TRANSACTION, "if not 0 <= event_time < LATEST:", "if False:"
    ),
    Mutant(
        "a newer schema is refused as a malformed field",
        (9,),
        TRANSACTION,
        "if msgspec.json.decode(payload, type=_Version).schema_version != SCHEMA_VERSION:",
        "if False:",
    ),
    Mutant(
        "what could not be quarantined is acknowledged",
        (10,),
        SCORING,
        "self.unstored += [each.record_id for each in rejected]",
        "self.unstored += []",
    ),
    Mutant("an age may be negative", (13,), "fraud/features.py", "max(at - earlier, 0)", "at - earlier"),
    Mutant(
        "a late event reads its own future",
        (13,),
        "fraud/windows.py",
        "if 0 <= age < depth:",
        "if age < depth:",
    ),
    Mutant(
        "the future is believed",
        (14,),
        TRANSACTION,
        "return int(arrived_at), (FROM_THE_FUTURE,)",
        "return int(event_time), (FROM_THE_FUTURE,)",
    ),
    Mutant(
        "a late event counts as a new one",
        (14,),
        "fraud/windows.py",
        "index = at // level.width\n",
        "index = watermark // level.width\n",
    ),
    Mutant("unprocessed keys are given up", (19,), "fraud/aws/batch_get.py", "if not request:", "if True:"),
    Mutant(
        "an expired card is read",
        (21,),
        ENTITY_ITEMS,
        "if dynamodb.is_expired(item, now):",
        "if False:",
    ),
    Mutant(
        "an expired decision stands",
        (21,),
        DECISION_LOG,
        "OR expires_at <= :now",
        "OR (attribute_not_exists(transaction_id) AND expires_at <= :now)",
    ),
    Mutant(
        "a model is asked without the time for its answer",
        (22,),
        MODELS,
        "or not deadline.allows(CALL_AND_COMMIT)",
        "or not deadline.allows(0)",
    ),
    Mutant(
        "the breaker never opens",
        (23, 24),
        "fraud/breaker.py",
        "if self.failures < self.threshold:",
        "if self.failures < 10**9:",
    ),
    Mutant(
        "the breaker never closes again",
        (23,),
        "fraud/breaker.py",
        "if self.clock() - self.opened_at < self.cooldown:",
        "if True:",
    ),
    Mutant(
        "an error of the endpoint stops the batch",
        (23,),
        "fraud/aws/calls.py",
        "except ClientError as",
        "except KeyError as",
    ),
    Mutant("a score above one is believed", (24,), ENDPOINT, "0.0 <= score <= 1.0", "0.0 <= score"),
    Mutant("a score below zero is believed", (24,), ENDPOINT, "0.0 <= score <= 1.0", "score <= 1.0"),
    Mutant(
        "another number of scores is believed",
        (24,),
        ENDPOINT,
        "if len(answer.scores) != count or len(answer.reasons) != count:",
        "if not answer.reasons:",
    ),
    Mutant(
        "a malformed answer is not held against the variant",
        (24,),
        "fraud/batch_report.py",
        "return self.unanswered == self.rows",
        "return False",
    ),
    Mutant(
        "a card number is quarantined as it came",
        (34,),
        "fraud/aws/quarantine.py",
        "card_numbers.mask(",
        "str(",
    ),
    Mutant("a card number is accepted", (34,), TRANSACTION, "    _refuse_card_numbers(transaction)\n", ""),
    Mutant(
        "a card number in the channel is accepted", (34,), TRANSACTION, '"terminal_id", "channel")', '"terminal_id")'
    ),
    Mutant(
        "a card number beside other digits is overlooked",
        (34,),
        "fraud/card_numbers.py",
        "(?<![0-9])(?=({writing})(?![0-9]))",
        "(?<![0-9])({writing})(?![ -]?[0-9])",
    ),
    Mutant(
        "a label's refusal repeats what was sent", (34,), "fraud/label.py", "_explain(error)) from", "str(error)) from"
    ),
    Mutant(
        "the log repeats the batch",
        (34,),
        "score_transactions.py",
        "extra=report.summary()",
        "extra={'decided': [str(each) for each in report.decided]}",
    ),
    Mutant(
        "a marked decision is counted again",
        (36,),
        "fraud/aws/projection_store.py",
        "attribute_exists(transaction_id) AND attribute_not_exists(projected)",
        "attribute_exists(transaction_id)",
    ),
    Mutant(
        "a vanished decision is marked and counted",
        (36,),
        "fraud/aws/projection_store.py",
        "attribute_exists(transaction_id) AND attribute_not_exists(projected)",
        "attribute_not_exists(projected)",
    ),
    Mutant(
        "a lost answer to the count counts as written",
        (36,),
        PROJECTION,
        "except StoreUnavailable:\n            return _decisions(pack)",
        "except StoreUnavailable:\n            return None",
    ),
    Mutant(
        "a terminal's follow-up of a failed commit is written", (36,), PROJECTION, "moved |= keys", "moved |= set()"
    ),
    Mutant(
        "a refused archive is acknowledged",
        (36,),
        PROJECTION,
        "except StoreUnavailable:\n            return everything",
        "except StoreUnavailable:\n            pass",
    ),
    Mutant(
        "the last label by arrival stands",
        (37,),
        "fraud/label.py",
        "return other is None or _rank(self) > _rank(other)",
        "return other is None or self != other",
    ),
    Mutant(
        "an early label is never looked for",
        (37,),
        PROJECTION,
        "late = self.labelling.apply_early({each.transaction_id for each in decisions}, deadline)",
        "late: set[str] = set()",
    ),
    Mutant(
        "a flipped label leaves its fraud counted",
        (37,),
        "fraud/entities.py",
        "if before is not None and before.is_fraud:",
        "if False:",
    ),
    Mutant(
        "a verdict is written although another was",
        (37,),
        "fraud/aws/label_items.py",
        'return "attribute_not_exists(label)", {}',
        'return "attribute_not_exists(other)", {}',
    ),
    Mutant(
        "a label is kept early although its decision is there",
        (37,),
        "fraud/aws/label_store.py",
        '"ConditionExpression": "attribute_not_exists(transaction_id)"',
        '"ConditionExpression": "attribute_not_exists(other)"',
    ),
    Mutant(
        "a refused label archive is acknowledged",
        (37,),
        LABELLING,
        "unfinished | {m for m, _, _ in verdicts}",
        "unfinished",
    ),
    Mutant(
        "a terminal's verdicts follow on a failed commit",
        (37,),
        LABELLING,
        "moved = moved or not (deadline.allows(1) and self.store.apply(commit))",
        "moved = not (deadline.allows(1) and self.store.apply(commit))",
    ),
)
