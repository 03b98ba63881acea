"""What the shadow scores, what it makes of the answers, and what it costs."""

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import features, policy, routing
from fraud.analysis import LATENCY_EDGES_MS, Pairs, Shadow
from fraud.aws import decision_items
from fraud.decision import RULES, Action, Score
from fraud.errors import StoreUnavailable
from fraud.shadow_ports import ShadowReport
from fraud.transaction import LARGEST_AMOUNT_MINOR
from tests.fakes import samples
from tests.fakes import shadow as fakes
from tests.fakes.faults import Clock
from tests.fakes.samples import NOW
from tests.fakes.shadow import ShadowWorld, served, served_many
from tests.fakes.world import MemoryStores

OBSERVE = "store.observe"
TINY = 1.0
"""Seconds in which no call can be made."""
ALONE, FIRST, SECOND = ("fraud-b",), ("fraud-b", "fraud-a"), ("fraud-a", "fraud-b")
"""Whom a batch asks: the challenger alone, before the champion, or after it."""


def world(**fields: Any) -> ShadowWorld:
    return fakes.in_memory(**fields)


def challenger_says(value: float | None, **fields: Any) -> ShadowWorld:
    """A world whose challenger has one answer to everything."""
    shadowed = world(**fields)
    score = None if value is None else Score(value)
    shadowed.scorer.answers["fraud-b"] = lambda rows: [score for _ in rows]
    return shadowed


def asked(transaction_id: str) -> tuple[str, ...]:
    """Whom a batch that begins with this transaction asks."""
    shadowed = world()
    shadowed.shadow([served(transaction_id)])
    return tuple(shadowed.scorer.asked)


@cache
def calls() -> dict[str, tuple[str, ...]]:
    """Whom batches ask, by the transaction that they begin with."""
    return {f"t{number}": asked(f"t{number}") for number in range(400)}


def id_that_asks(*endpoints: str) -> str:
    return next(each for each, order in calls().items() if order == endpoints)


def note_rows(shadowed: ShadowWorld, endpoint: str) -> list[Any]:
    """What is sent to an endpoint from now on; every row scores 0.1."""
    sent: list[Any] = []

    def answer(rows: Any) -> list[Score | None]:
        sent.append(rows)
        return [Score(0.1)] * len(rows)

    shadowed.scorer.answers[endpoint] = answer
    return sent


@pytest.mark.parametrize(
    "fields",
    [{"challenger": None}, {"shadow_bps": 0}, {"slots": {"a": samples.model("a")}}],
    ids=["no challenger", "no share", "no model behind the challenger"],
)
def test_shadow_without_one_costs_one_read(fields: dict[str, Any]) -> None:
    shadowed = world(**fields)
    assert shadowed.shadow(served_many(5)) == ShadowReport()
    assert shadowed.faults.calls == ["routing.read"]
    assert shadowed.scorer.asked == []


def test_shadow_without_a_routing_item_costs_one_read() -> None:
    shadowed = ShadowWorld(fakes.over(MemoryStores(Clock(NOW))))
    assert shadowed.shadow(served_many(5)) == ShadowReport()
    assert shadowed.faults.calls == ["routing.read"]


def test_shadow_routing_that_cannot_be_read_has_everything_delivered_again() -> None:
    shadowed = world()
    shadowed.faults.before("routing.read", 1, StoreUnavailable("GetItem: ThrottlingException"))
    assert shadowed.shadow(served_many(2)).failed == ["00000", "00001"]


@pytest.mark.parametrize(
    "fields",
    [
        {"epoch": 6},
        {"served_by": "b"},
        {"served_by": RULES, "score": None, "degraded": True},
        {"degraded": True},
        {"score": None},
        {"policy_version": "2+00000000"},
    ],
    ids=["another epoch", "another slot", "rules", "degraded", "no score", "another policy"],
)
def test_shadow_decision_that_is_no_fair_pair_is_left_out(fields: dict[str, Any]) -> None:
    shadowed = world()
    assert shadowed.shadow([served(**fields)]) == ShadowReport()
    assert shadowed.scorer.asked == []


def test_shadow_decision_with_features_of_another_contract_is_left_out() -> None:
    shadowed = world()
    item = decision_items.encode(fakes.served_decision(), 365) | {"contract": {"S": "0" * 16}}
    assert shadowed.shadow([decision_items.decode(item, "1")]) == ShadowReport()


def test_shadow_cards_of_the_sample_are_shadowed_and_no_others() -> None:
    shadowed = world(shadow_bps=3000)
    decisions = [served(f"t{number}", f"c{number}", number) for number in range(100)]
    expected = {each.transaction_id for each in decisions if routing.position("salt", each.card_token) < 3000}
    assert shadowed.shadow(decisions).shadowed == len(expected)
    assert shadowed.shadows.notes().keys() == expected
    assert 10 < len(expected) < 50


def test_shadow_batch_without_a_fair_pair_asks_nobody_and_writes_nothing() -> None:
    shadowed = world()
    shadowed.shadow([served(epoch=6), served("t2", degraded=True)])
    assert (shadowed.scorer.asked, shadowed.faults.calls) == ([], ["routing.read"])


@pytest.mark.parametrize(
    ("champion", "score", "counts"),
    [
        ("approve", 0.49, {}),
        ("approve", 0.5, {"challenger_review": 1}),
        ("approve", 0.9, {"challenger_block": 1}),
        ("review", 0.89, {"champion_review": 1, "challenger_review": 1, "both_review": 1}),
        ("review", 0.1, {"champion_review": 1}),
        ("block", 0.5, {"champion_block": 1, "challenger_review": 1}),
        ("block", 1.0, {"champion_block": 1, "challenger_block": 1, "both_block": 1}),
        ("block", None, {"unanswered": 1}),
    ],
)
def test_shadow_actions_of_both_are_counted_as_a_pair(
    champion: str, score: float | None, counts: dict[str, int]
) -> None:
    shadowed = challenger_says(score)
    shadowed.shadow([served(action=Action(champion))])
    assert shadowed.counted() == Pairs(transactions=1, **counts)


def test_shadow_thresholds_of_the_challenger_apply() -> None:
    strict = samples.model("b", review_threshold=0.01, block_threshold=0.02)
    shadowed = challenger_says(0.3, slots={"a": samples.model("a"), "b": strict})
    shadowed.shadow([served()])
    assert shadowed.counted().challenger_block == 1


def rule(phase: str, field: str, action: str, **test: Any) -> bytes:
    when = [{"field": field} | test]
    rules = [{"name": "r", "phase": phase, "when": when, "action": action, "reason": "because"}]
    return json.dumps({"version": "1", "lists": {}, "rules": rules}).encode()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (rule("before", "terminal_id", "approve", equals="m9"), "approve"),
        (rule("after", "amount_minor", "block", at_least=5000), "block"),
        (rule("after", "transaction_amount", "block", at_least=0), "block"),
        (rule("after", "channel", "block", equals="pos"), "review"),
        (rule("fallback", "amount_minor", "block", at_least=0), "review"),
    ],
    ids=["list", "amount", "feature", "no match", "fallback is for rules alone"],
)
def test_shadow_rules_of_the_policy_apply_to_the_challenger(document: bytes, expected: str) -> None:
    shadowed = challenger_says(0.6)
    shadowed.policy = policy.load(document)
    decision = served(amount_minor=5000, terminal_id="m9", channel="ecommerce", policy_version=shadowed.policy.version)
    shadowed.shadow([decision])
    assert shadowed.shadows.notes()["t1"]["challenger_action"] == expected


def test_shadow_pairs_are_counted_by_the_bucket_of_the_card() -> None:
    shadowed = world()
    shadowed.shadow(served_many(60, cards=7))
    counted = {bucket: pairs.transactions for bucket, pairs in shadowed.shadows.seen().pairs.items()}
    assert counted == Counter(routing.bucket(f"c{number % 7}") for number in range(60))


def test_shadow_challenger_is_asked_once_with_what_its_contract_names() -> None:
    shadowed = world(slots={"a": samples.model("a"), "b": samples.model("b", contract=("card_count_24h",))})
    sent = note_rows(shadowed, "fraud-b")
    shadowed.shadow([served(each, number=number) for number, each in enumerate((id_that_asks(*ALONE), "another"))])
    assert sent == [[[float(features.NAMES.index("card_count_24h"))]] * 2]


def test_shadow_scores_come_back_to_their_own_rows() -> None:
    shadowed = world()
    shadowed.scorer.answers["fraud-b"] = lambda rows: [Score(number / 100) for number in range(len(rows))]
    shadowed.shadow(served_many(50))
    notes = shadowed.shadows.notes()
    assert [notes[f"t{number}"]["challenger_score"] for number in range(50)] == [number / 100 for number in range(50)]


@pytest.mark.parametrize(
    "broken",
    [samples.model("b", contract_hash="0" * 16), samples.model("b", contract=("card_shoe_size",))],
    ids=["another definition", "unknown feature"],
)
def test_shadow_contract_that_the_code_cannot_serve_is_unanswered_and_never_asked(broken: Any) -> None:
    shadowed = world(slots={"a": samples.model("a"), "b": broken})
    report = shadowed.shadow([served(id_that_asks(*FIRST)), served("t2")])
    assert report == ShadowReport(shadowed=2, unanswered=2, failed=[])
    assert "fraud-b" not in shadowed.scorer.asked
    assert shadowed.shadows.seen() == Shadow(pairs={routing.bucket("c1"): Pairs(transactions=2, unanswered=2)})


def test_shadow_challenger_that_fails_is_counted_as_unanswered_and_holds_up_nothing() -> None:
    shadowed = world()
    shadowed.scorer.break_down("fraud-b")
    assert shadowed.shadow(served_many(30)) == ShadowReport(shadowed=30, unanswered=30, failed=[])
    assert shadowed.counted() == Pairs(transactions=30, unanswered=30)
    assert shadowed.scorer.asked.count("fraud-b") == 1


def test_shadow_row_the_challenger_cannot_read_is_unanswered() -> None:
    shadowed = world()
    shadowed.scorer.answers["fraud-b"] = lambda rows: [None, *[Score(0.95) for _ in rows[1:]]]
    assert shadowed.shadow(served_many(3)).unanswered == 1
    assert shadowed.counted() == Pairs(transactions=3, unanswered=1, challenger_block=2)


def test_shadow_without_the_time_to_write_asks_nobody() -> None:
    shadowed = world()
    report = shadowed.shadow([*served_many(2), served("t9", number=9, epoch=6)], seconds=TINY)
    assert report == ShadowReport(failed=["00000", "00001"])
    assert shadowed.scorer.asked == []


def test_shadow_time_that_ends_while_the_models_answer_has_everything_delivered_again() -> None:
    shadowed = world()
    shadowed.monotonic = shadowed.shadows.stores.clock
    shadowed.takes("fraud-b", 60.0)
    assert shadowed.shadow(served_many(2)).failed == ["00000", "00001"]
    assert (shadowed.faults.count(OBSERVE), shadowed.pauses) == (0, [])


def test_shadow_time_that_ends_between_two_transactions_has_the_rest_delivered_again() -> None:
    shadowed = world()
    shadowed.faults.after(OBSERVE, 1, lambda: shadowed.shadows.stores.clock.pass_by(60.0))
    decisions = [served(f"t{number}", number=number) for number in range(100)]
    assert shadowed.shadow(decisions).failed == ["00097", "00098", "00099"]
    assert (shadowed.faults.count(OBSERVE), shadowed.counted().transactions) == (1, 97)


def test_shadow_champion_is_asked_in_every_other_batch_and_first_in_half_of_them() -> None:
    orders = Counter(calls().values())
    assert set(orders) == {ALONE, FIRST, SECOND}
    assert 160 <= orders[FIRST] + orders[SECOND] <= 240
    assert min(orders[FIRST], orders[SECOND]) >= 30


def test_shadow_repeated_batch_asks_alike() -> None:
    assert {each: asked(each) for each in calls()} == calls()


@pytest.mark.parametrize("order", [FIRST, SECOND], ids=["challenger first", "champion first"])
def test_shadow_both_models_are_timed_on_the_same_rows(order: Sequence[str]) -> None:
    shadowed = world()
    to_champion, to_challenger = note_rows(shadowed, "fraud-a"), note_rows(shadowed, "fraud-b")
    shadowed.takes("fraud-a", 0.010)
    shadowed.takes("fraud-b", 0.040)
    shadowed.shadow([served(id_that_asks(*order)), *[served(f"u{number}") for number in range(20)]])
    seen = shadowed.shadows.seen()
    assert to_champion == to_challenger
    assert [len(rows) for rows in to_champion] == [21]
    assert [round(each.total_ms) for each in (seen.champion, seen.challenger)] == [10, 40]
    assert sum(seen.champion.counts) == sum(seen.challenger.counts) == 1


def test_shadow_batch_that_does_not_ask_the_champion_times_nobody() -> None:
    shadowed = world()
    shadowed.takes("fraud-b", 0.040)
    shadowed.shadow([served(id_that_asks(*ALONE))])
    assert shadowed.shadows.seen() == Shadow(pairs={routing.bucket("c1"): Pairs(transactions=1)})


def test_shadow_challenger_that_fails_is_timed_all_the_same() -> None:
    shadowed = world()
    shadowed.scorer.break_down("fraud-b")
    shadowed.takes("fraud-b", 3.0)
    shadowed.shadow([served(id_that_asks(*FIRST))])
    assert shadowed.shadows.seen().challenger.total_ms == 3000


@pytest.mark.parametrize("order", [FIRST, SECOND], ids=["challenger first", "champion first"])
def test_shadow_champion_that_fails_leaves_both_times_out_and_the_pairs_in(order: Sequence[str]) -> None:
    shadowed = world()
    shadowed.scorer.break_down("fraud-a")
    report = shadowed.shadow([served(id_that_asks(*order))])
    assert report == ShadowReport(shadowed=1, unanswered=0, failed=[])
    assert shadowed.shadows.seen() == Shadow(pairs={routing.bucket("c1"): Pairs(transactions=1)})


@pytest.mark.parametrize(
    ("milliseconds", "place"),
    [
        (0.0, 0),
        (LATENCY_EDGES_MS[0], 0),
        (LATENCY_EDGES_MS[0] + 0.01, 1),
        (LATENCY_EDGES_MS[-1], len(LATENCY_EDGES_MS) - 1),
        (60_000.0, len(LATENCY_EDGES_MS)),
    ],
)
def test_shadow_time_falls_into_the_place_whose_upper_edge_it_does_not_exceed(milliseconds: float, place: int) -> None:
    shadowed = world()
    shadowed.takes("fraud-b", milliseconds / 1000)
    shadowed.shadow([served(id_that_asks(*FIRST))])
    counts = shadowed.shadows.seen().challenger.counts
    assert [where for where, calls in enumerate(counts) if calls] == [place]


def test_shadow_any_number_of_decisions_of_one_card_fits_its_transactions() -> None:
    """The store in memory refuses more than a transaction may hold."""
    shadowed = world()
    decisions = [served(id_that_asks(*FIRST)), *[served(f"u{number}", number=number) for number in range(299)]]
    assert shadowed.shadow(decisions).failed == []
    assert shadowed.counted().transactions == 300
    assert shadowed.faults.count(OBSERVE) == 4


def test_shadow_whole_buckets_share_a_transaction() -> None:
    shadowed = world()
    shadowed.shadow(served_many(45))
    assert shadowed.faults.count(OBSERVE) == 1


def times(shadowed: ShadowWorld) -> tuple[int, int]:
    """Calls to the champion and to the challenger that were timed."""
    seen = shadowed.shadows.seen()
    return sum(seen.champion.counts), sum(seen.challenger.counts)


def test_shadow_times_of_a_refused_write_come_with_the_next() -> None:
    shadowed = world()
    shadowed.faults.before(OBSERVE, 1, StoreUnavailable("TransactWriteItems: ThrottlingException"))
    shadowed.shadow([served(id_that_asks(*FIRST)), *served_many(150, cards=3)])
    assert times(shadowed) == (1, 1)


def test_shadow_times_are_written_once_however_many_transactions_there_are() -> None:
    shadowed = world()
    shadowed.shadow([served(id_that_asks(*FIRST)), *served_many(150, cards=3)])
    assert shadowed.faults.count(OBSERVE) > 1
    assert times(shadowed) == (1, 1)


def test_shadow_repeated_batch_does_not_repeat_its_times() -> None:
    shadowed = world()
    for _ in range(2):
        shadowed.shadow([served(id_that_asks(*FIRST)), *served_many(20)])
    assert times(shadowed) == (1, 1)


def test_shadow_rounds_are_bounded_and_wait_longer_each_time() -> None:
    shadowed = world()
    shadowed.faults.always(OBSERVE, StoreUnavailable("TransactWriteItems: ThrottlingException"))
    assert shadowed.shadow(served_many(3)).failed == ["00000", "00001", "00002"]
    assert shadowed.pauses == [1, 2, 3, 4, 5]


@given(
    at=st.integers(0, NOW * 1000),
    amount=st.integers(1, LARGEST_AMOUNT_MINOR),
    optional=st.fixed_dictionaries(
        {},
        optional={
            "channel": st.sampled_from(["pos", "ecommerce"]),
            "merchant_category": st.just("5411"),
            "country": st.sampled_from(["DE", "FR"]),
        },
    ),
)
def test_transaction_of_a_stored_decision_is_the_one_that_was_sent(
    at: int, amount: int, optional: dict[str, str]
) -> None:
    sent = samples.accepted("t9", "c9", at / 1000, NOW, amount_minor=amount, terminal_id="m2", **optional)
    item = decision_items.encode(samples.decision(sent), 365)
    assert decision_items.transaction_of(decision_items.decode(item, "1").document) == sent.transaction
