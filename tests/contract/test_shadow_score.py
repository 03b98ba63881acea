"""The function takes the stream's events and answers with what must come again."""

from typing import Any

import pytest

from fraud import bootstrap, policy
from fraud.aws import decision_items
from fraud.routing import bucket
from tests.fakes import samples
from tests.fakes.functions import Functions, golden
from tests.fakes.shadow import EPOCH, AwsShadows, served_decision

VERSION = policy.load(bootstrap.POLICY.read_bytes()).version


def event(*transaction_ids: str) -> dict[str, Any]:
    """The golden event with decisions of the champion."""
    found = golden("dynamodb_decisions")
    [template] = found["Records"]
    decisions = [served_decision(each, policy_version=VERSION) for each in transaction_ids]
    images = [decision_items.encode(each, 365) for each in decisions]
    found["Records"] = [
        template | {"dynamodb": {"NewImage": image, "SequenceNumber": f"{number:05d}"}}
        for number, image in enumerate(images)
    ]
    return found


def shadowing(functions: Functions) -> AwsShadows:
    functions.stores.set_routing(samples.routing(challenger="b", shadow_bps=10_000))
    return AwsShadows(functions.stores)


def test_shadow_score_golden_event_without_a_shadow_is_settled_in_silence(functions: Functions) -> None:
    assert functions.invoke("shadow_score", golden("dynamodb_decisions")) == []
    assert functions.lines() == []


def test_shadow_score_endpoint_that_fails_is_counted_and_holds_up_nothing(functions: Functions) -> None:
    """moto's endpoints answer with what is no score."""
    shadows = shadowing(functions)
    assert functions.invoke("shadow_score", event("t1", "t2")) == []
    [pairs] = shadows.seen(EPOCH).pairs.values()
    assert (pairs.transactions, pairs.unanswered) == (2, 2)
    assert set(shadows.seen(EPOCH).pairs) == {bucket("c1")}
    assert (functions.metric("Shadowed"), functions.metric("ShadowFailures")) == (2, 2)


def test_shadow_score_failing_store_reports_every_record_lowest_first(functions: Functions) -> None:
    functions.stores.dynamodb.delete_table(TableName="rollouts")
    assert functions.invoke("shadow_score", event("t1", "t2")) == ["00000", "00001"]


def test_shadow_score_lines_hold_no_transaction(functions: Functions, capsys: pytest.CaptureFixture[str]) -> None:
    shadowing(functions)
    functions.invoke("shadow_score", event("t-secret"))
    assert "t-secret" not in functions.log.getvalue()
    assert len([line for line in functions.lines() if line.get("message") == "decisions shadowed"]) == 1
    assert capsys.readouterr().out == ""


def test_shadow_score_empty_batch_is_settled(functions: Functions) -> None:
    assert functions.invoke("shadow_score", {"Records": []}) == []
