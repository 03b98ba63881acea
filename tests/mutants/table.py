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
SHADOW = "fraud/services/shadow.py"
GATES = "fraud/gates.py"
MODEL_PACKAGE = "fraud/model_package.py"
ROLLOUT = "fraud/rollout.py"
ROLLOUT_STORE = "fraud/aws/rollout_store.py"
SLOT_ALARMS = "fraud/aws/slot_alarms.py"
ABORTING = "fraud/services/aborting.py"
CHALLENGER = "fraud/services/challenger.py"
JUDGING = "fraud/services/judging.py"
RECORDS = "fraud/services/rollout_records.py"
ROLLBACK = "fraud/services/rollback.py"
ROLLOUT_START = "fraud/services/rollout_start.py"
SHIFTING = "fraud/services/shifting.py"
STEERING = "fraud/services/steering.py"

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
        "a noted pair is counted again",
        (36,),
        "fraud/aws/shadow_store.py",
        '"attribute_not_exists(pk)"',
        '"attribute_not_exists(other)"',
    ),
    Mutant(
        "a noted pair stays pending",
        (36,),
        SHADOW,
        "return [each for each in _observations(pack) if each.transaction_id not in noted]",
        "return _observations(pack)",
    ),
    Mutant(
        "a lost answer to the write of pairs counts as written",
        (36,),
        SHADOW,
        "except StoreUnavailable:\n            return _observations(pack)",
        "except StoreUnavailable:\n            return None",
    ),
    Mutant(
        "a pair that was not written is not reported",
        (36,),
        SHADOW,
        "failed=[each.sequence_number for each in chosen if each.transaction_id in left]",
        "failed=[]",
    ),
    Mutant(
        "a shadow without a routing item to read skips the batch",
        (36,),
        SHADOW,
        "return ShadowReport(failed=[each.sequence_number for each in decisions])",
        "return ShadowReport()",
    ),
    Mutant(
        "a decision of an earlier epoch is shadowed",
        (36,),
        SHADOW,
        "decision.epoch == trial.routing.epoch",
        "decision.epoch <= trial.routing.epoch",
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
    Mutant(
        "the champion does not stand in for a challenger that is gone",
        (25,),
        MODELS,
        "everyone = slot == routing.champion",
        "everyone = False",
    ),
    Mutant(
        "what the champion answered in its place is not held against a challenger",
        (25,),
        MODELS,
        "return self.score is None or self.served_by != self.slot",
        "return self.score is None",
    ),
    Mutant(
        "a challenger without answers is not counted",
        (25,),
        "fraud/rollout_counters.py",
        '"degraded": int(each.degraded)',
        '"degraded": 0',
    ),
    Mutant(
        "errors stop no canary",
        (25,),
        GATES,
        "        *_of_arms(gates, _ERRORS, champion, challenger, alpha),\n",
        "",
    ),
    Mutant(
        "a failing gate is waited for",
        (25, 28),
        ROLLOUT,
        "    if failed:\n",
        "    if False:\n",
    ),
    Mutant(
        "the challenger keeps its share in a rollback",
        (25, 26, 27, 30, 33),
        "fraud/routing.py",
        "return self._steady(self.champion)",
        "return replace(self, epoch=self.epoch + 1)",
    ),
    Mutant(
        "an execution environment keeps the routing it read first",
        (26,),
        "fraud/aws/state_reader.py",
        "routing = found[self.rollout_table]",
        "routing = globals().setdefault('KEPT', found[self.rollout_table])",
    ),
    Mutant(
        "decisions are counted for the last epoch",
        (26,),
        "fraud/rollout_counters.py",
        "total.setdefault((each.epoch, each.slot,",
        "total.setdefault((max(one.epoch for one in decisions), each.slot,",
    ),
    Mutant(
        "a batch in flight is held against the rollback",
        (26,),
        ROLLBACK,
        "self.observations.arms(standing.epoch)",
        "self.observations.arms(standing.epoch - 1)",
    ),
    Mutant(
        "a rollout that was stopped goes on",
        (27, 32),
        RECORDS,
        "if rollout.stage not in REVERSIBLE:",
        "if False:",
    ),
    Mutant(
        "a record is written although another writer moved it",
        (27, 31),
        ROLLOUT_STORE,
        "_stands(revision=number(stored.revision - 1))",
        '{"ConditionExpression": "attribute_exists(pk)"}',
    ),
    Mutant(
        "routing is written although somebody else moved it",
        (27,),
        ROLLOUT_STORE,
        "before = ABSENT if routing.epoch == 1 else _stands(epoch=number(routing.epoch - 1))",
        "before: Item = {}",
    ),
    Mutant(
        "a routing item that somebody else wrote is built upon",
        (27,),
        SHIFTING,
        "if rollout.epoch and standing.epoch != rollout.epoch:",
        "if False:",
    ),
    Mutant(
        "an alarm loses to whoever moves the record first",
        (27,),
        ROLLBACK,
        "for _ in range(TRIES - 1):",
        "for _ in range(0):",
    ),
    Mutant(
        "alarms are not armed in a canary",
        (27,),
        ABORTING,
        "frozenset({Stage.SHADOW, Stage.CANARY, Stage.APPROVAL, Stage.SOAK})",
        "frozenset({Stage.SHADOW, Stage.APPROVAL, Stage.SOAK})",
    ),
    Mutant(
        "the alarm of any slot stops a rollout",
        (27,),
        ABORTING,
        " and each.candidate.slot == slot",
        "",
    ),
    Mutant(
        "the late alarm of an earlier challenger stops a rollout",
        (27,),
        ABORTING,
        " and at >= each.started_at",
        "",
    ),
    Mutant(
        "what is promoted can still be rolled back",
        (33,),
        ROLLOUT,
        "Stage.CANARY, Stage.APPROVAL, Stage.SOAK})",
        "Stage.CANARY, Stage.APPROVAL, Stage.SOAK, Stage.PROMOTED})",
    ),
    Mutant(
        "the history of alarms is ignored",
        (28,),
        SLOT_ALARMS,
        "(gone | standing | earlier)",
        "(gone | standing)",
    ),
    Mutant(
        "an alarm from before the bake that ends in it is ignored",
        (28,),
        SLOT_ALARMS,
        'if change["oldState"]["stateValue"] == ALARM:',
        "if False:",
    ),
    Mutant(
        "an alarm that is still on counts by its history only",
        (28,),
        SLOT_ALARMS,
        "(gone | standing | earlier)",
        "(gone | earlier)",
    ),
    Mutant(
        "an alarm that is gone counts as silent",
        (28,),
        SLOT_ALARMS,
        "(gone | standing | earlier)",
        "(standing | earlier)",
    ),
    Mutant(
        "alarms count from the look on",
        (28,),
        JUDGING,
        "self.alarms.fired(slot, rollout.since)",
        "self.alarms.fired(slot, self.records.clock())",
    ),
    Mutant(
        "an alarm is only doubtful",
        (28,),
        GATES,
        "outcome=Outcome.FAIL if alarms else Outcome.PASS",
        "outcome=Outcome.INCONCLUSIVE if alarms else Outcome.PASS",
    ),
    Mutant(
        "nothing stops a rollout in a pause",
        (28,),
        ROLLOUT,
        "    if failed:\n",
        "    if failed and rollout.paused_at is None:\n",
    ),
    Mutant(
        "silence promotes",
        (29,),
        "fraud/analysis.py",
        "default=Outcome.INCONCLUSIVE",
        "default=Outcome.PASS",
    ),
    Mutant(
        "no traffic is enough traffic",
        (29,),
        GATES,
        "outcome=Outcome.PASS if count >= gates.transactions else Outcome.INCONCLUSIVE",
        "outcome=Outcome.PASS",
    ),
    Mutant(
        "a gate that saw nothing passes",
        (29,),
        GATES,
        "return Verdict(gate=gate, outcome=Outcome.INCONCLUSIVE,",
        "return Verdict(gate=gate, outcome=Outcome.PASS,",
    ),
    Mutant(
        "what cannot be told is waited for without end",
        (29,),
        ROLLOUT,
        "if elapsed >= rollout.plan.deadline_seconds:",
        "if elapsed >= 100 * rollout.plan.deadline_seconds:",
    ),
    Mutant(
        "what cannot be told by the deadline goes on",
        (29,),
        ROLLOUT,
        "if analysis.worst(verdicts) is Outcome.PASS and left <= 0:",
        "if (analysis.worst(verdicts) is Outcome.PASS or elapsed >= rollout.plan.deadline_seconds) and left <= 0:",
    ),
    Mutant(
        "traffic of an earlier stage counts",
        (29,),
        JUDGING,
        "self.observations.arms(rollout.epoch)",
        "self.observations.arms(rollout.epoch - 1)",
    ),
    Mutant(
        "a rollout begins without traffic",
        (29,),
        "fraud/rollout_plan.py",
        "if longest > plan.deadline_seconds:",
        "if False:",
    ),
    Mutant(
        "alarms without data guard a rollout",
        (29,),
        SLOT_ALARMS,
        'if state == UNKNOWN and alarm.get("TreatMissingData") != "notBreaching":',
        "if False:",
    ),
    Mutant(
        "the lock of a living execution is taken over",
        (30,),
        ROLLOUT_START,
        "if previous.lease_until > self.records.clock():",
        "if False:",
    ),
    Mutant(
        "the lock of a dead execution is never free",
        (30,),
        ROLLOUT_START,
        "if previous.lease_until > self.records.clock():",
        "if True:",
    ),
    Mutant(
        "a lock is taken over and traffic left with the dead rollout's challenger",
        (30,),
        ROLLOUT_START,
        "        self.rollback.stop(lambda rollout: rollout.owner == silent.owner, sentence)\n",
        "",
    ),
    Mutant(
        "a lock is taken although another took it first",
        (30,),
        ROLLOUT_STORE,
        "condition = _stands(revision=number(previous.revision), owner=text(previous.owner))",
        "condition: Item = {}",
    ),
    Mutant(
        "the first lock is taken although another took it first",
        (30,),
        ROLLOUT_STORE,
        "stored, condition = replace(rollout, revision=1), ABSENT",
        "stored, condition = replace(rollout, revision=1), {}",
    ),
    Mutant(
        "who repeats the lock is told that it is another's",
        (30,),
        ROLLOUT_START,
        "if previous.owner == task.execution:",
        "if False:",
    ),
    Mutant(
        "the same package twice is refused as another",
        (30,),
        ROLLOUT_START,
        "if holder.candidate.model_package == model_package:",
        "if False:",
    ),
    Mutant(
        "anybody may move a rollout",
        (31,),
        RECORDS,
        "if rollout is None or rollout.owner != execution:",
        "if rollout is None:",
    ),
    Mutant(
        "a rollout that is over is moved on",
        (31,),
        RECORDS,
        "if rollout.released:",
        "if False:",
    ),
    Mutant(
        "the end of an old execution tidies the newer one up",
        (31,),
        ABORTING,
        "if rollout is None or rollout.owner != execution or rollout.released",
        "if rollout is None or rollout.released",
    ),
    Mutant(
        "the end of an old execution stops the newer one",
        (31,),
        ABORTING,
        "self.rollback.stop(lambda each: each.owner == execution, sentence)",
        "self.rollback.stop(lambda each: True, sentence)",
    ),
    Mutant(
        "slots are cleared for an execution without the lock",
        (31,),
        CHALLENGER,
        "        rollout = self.records.owned(task.execution)\n        try:\n            left = self.slots.clear()",
        "        self.slots.clear()\n        rollout = self.records.owned(task.execution)\n        try:\n"
        "            left = self.slots.clear()",
    ),
    Mutant(
        "a late answer is taken",
        (32,),
        STEERING,
        "if self.records.clock() >= question.requested_at + rollout.plan.approval_seconds:",
        "if False:",
    ),
    Mutant(
        "the answer to an earlier question is taken",
        (32,),
        STEERING,
        "if question.request_id != request_id:",
        "if False:",
    ),
    Mutant(
        "an answer is taken when nobody asks any more",
        (32,),
        STEERING,
        "rollout.stage is not Stage.APPROVAL:",
        "False:",
    ),
    Mutant(
        "who starts a rollout may approve it",
        (32,),
        STEERING,
        "if by == rollout.started_by:",
        "if False:",
    ),
    Mutant(
        "a step that needs an approval is taken without",
        (32,),
        SHIFTING,
        "if step == rollout.plan.approved_step and not (",
        "if False and not (",
    ),
    Mutant(
        "a question that nobody answered counts as approved",
        (32,),
        SHIFTING,
        "rollout.approval.step == step and rollout.approval.approved_by",
        "rollout.approval.step == step",
    ),
    Mutant(
        "any step may be taken",
        (32,),
        SHIFTING,
        "    if step != due:\n",
        "    if False:\n",
    ),
    Mutant(
        "a question asked again keeps its name",
        (32,),
        STEERING,
        'request_id=f"{rollout.rollout_id}/{rollout.revision}"',
        'request_id=f"{rollout.rollout_id}/{task.step}"',
    ),
    Mutant(
        "a rejection that came too late is said to be in force",
        (32,),
        STEERING,
        "sentence) is None:",
        "sentence) is False:",
    ),
    Mutant(
        "a restoring that is repeated is done again",
        (33,),
        SHIFTING,
        "        if rollout.stage in REVERSIBLE:\n",
        "        if rollout.stage is not Stage.PROMOTED:\n",
    ),
    Mutant(
        "a machine that waits for a person sleeps on when the first call to wake it fails",
        (33,),
        ABORTING,
        "        self._wake()\n        if stopped is None:",
        "        if stopped is not None:\n            self._wake()\n        if stopped is None:",
    ),
    Mutant(
        "a machine that waits for a person is not woken",
        (27, 33),
        ABORTING,
        "        self._wake()\n",
        "",
    ),
    Mutant(
        "the routing item is not read back after a rollback",
        (33,),
        ROLLBACK,
        "        self._check_routing(standing)\n",
        "",
    ),
    Mutant(
        "decisions of the challenger's after a rollback are overlooked",
        (33,),
        ROLLBACK,
        "if wrong and rollout.candidate.slot != standing.champion:",
        "if False:",
    ),
    Mutant(
        "a champion that is down verifies a rollback",
        (33,),
        ROLLBACK,
        "        self._check_champion(standing.slots[standing.champion])\n",
        "",
    ),
    Mutant(
        "a champion without a score verifies a rollback",
        (33,),
        ROLLBACK,
        "        if score is None:\n",
        "        if False:\n",
    ),
    Mutant(
        "a rollback that is not verified is an answer like any other",
        (33,),
        "fraud/rollout_task.py",
        "except RollbackUnverified:\n        raise",
        "except ZeroDivisionError:\n        raise",
    ),
    Mutant(
        "nobody is called when an execution ends with its rollback unverified",
        (33,),
        ABORTING,
        "        except FraudError as error:\n",
        "        except ZeroDivisionError as error:\n",
    ),
    Mutant(
        "the lock is freed although the rollback is not verified",
        (33,),
        ABORTING,
        "            raise\n",
        "            return rollout\n",
    ),
    Mutant(
        "an execution that ends leaves its endpoint",
        (33,),
        ABORTING,
        "        self._tidy(rollout)\n",
        "",
    ),
    Mutant(
        "an endpoint that could not be removed is not told of",
        (33,),
        ABORTING,
        "        if left:\n",
        "        if False:\n",
    ),
    Mutant(
        "an execution that ends keeps the lock",
        (33,),
        ABORTING,
        "self.rollback.store.save(replace(rollout, released=True))",
        "self.rollback.store.save(rollout)",
    ),
    Mutant(
        "a package is rolled out without reading its artefact",
        (38,),
        ROLLOUT_START,
        "self.packages.check(chosen.model_package)",
        "self.packages.look(chosen.model_package)",
    ),
    Mutant(
        "a model is proven without reading its artefact again",
        (38,),
        CHALLENGER,
        "package = self.packages.check(rollout.candidate.model_package)",
        "package = self.packages.look(rollout.candidate.model_package)",
    ),
    Mutant(
        "a cut off artefact is served",
        (38,),
        MODEL_PACKAGE,
        "_require(len(content) == recorded_bytes,",
        "_require(True,",
    ),
    Mutant(
        "an artefact that was not registered is served",
        (38,),
        MODEL_PACKAGE,
        "_require(digest(content) == recorded_sha256,",
        "_require(True,",
    ),
    Mutant(
        "a model that the document does not describe is served",
        (38,),
        MODEL_PACKAGE,
        "_require(digest(model) == parse(text).model_sha256,",
        "_require(True,",
    ),
    Mutant(
        "another document than the artefact's is believed",
        (38,),
        "fraud/services/packages.py",
        "if parse(document_in(artefact)) != document:",
        "if False:",
    ),
    Mutant(
        "a contract with another meaning is served",
        (38,),
        MODEL_PACKAGE,
        "features.contract_hash(names) == contract.hash,",
        "True,",
    ),
    Mutant(
        "a model that scores otherwise than its package is served",
        (38,),
        MODEL_PACKAGE,
        "abs(given - vector.score) <= TOLERANCE",
        "abs(given - vector.score) <= 1",
    ),
    Mutant(
        "a model that scores nothing is served",
        (38,),
        MODEL_PACKAGE,
        "near = given is not None and",
        "near = given is None or",
    ),
)
