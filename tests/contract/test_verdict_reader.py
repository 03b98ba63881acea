"""Who asks again reads what was answered before."""

from fraud import answer
from tests.fakes import samples
from tests.fakes.world import Stores

PACKAGE = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/1"


def test_read_decisions_are_what_was_answered_when_they_were_made(stores: Stores) -> None:
    ports = stores.ports()
    by_model = samples.decision(
        samples.accepted("t2"), score=0.1234567, reasons=("large", "late"), model_package=PACKAGE, degraded=False
    )
    by_rules = samples.decision()
    certain = samples.decision(samples.accepted("t3"), score=0.0)
    ports.decisions.commit([samples.commit(by_rules, by_model, certain)])
    expected = {each.transaction_id: each for each in map(answer.verdict, (by_rules, by_model, certain))}
    assert ports.verdicts.read(["t1", "t2", "t3"]) == expected


def test_read_absent_decision_is_left_out(stores: Stores) -> None:
    assert stores.ports().verdicts.read(["t9"]) == {}
