"""Event source mappings lose nothing that is needed, and hold nothing up for ever."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from local import conditions
from tests.template import policies

Mappings = dict[str, dict[str, Any]]


@pytest.fixture
def mappings(of_type: Callable[[str], Mappings]) -> Mappings:
    """Mappings, by the logical id of the function that they call."""
    found = [each["Properties"] for each in of_type("AWS::Lambda::EventSourceMapping").values()]
    return {each["FunctionName"]["Ref"]: each | {"EventSourceArn": source(each)} for each in found}


def source(mapping: dict[str, Any]) -> dict[str, Any]:
    """What a mapping reads: of a stream with a consumer of its own, the stream."""
    arn: dict[str, Any] = mapping["EventSourceArn"]
    return arn["Fn::If"][2] if "Fn::If" in arn else arn


@pytest.fixture
def on_streams(mappings: Mappings) -> Mappings:
    """Mappings on streams that carry what must not be lost, by the stream's logical id."""
    lossless = [mappings[name] for name in ("ScoreTransactionsFunction", "ProjectDecisionsFunction")]
    return {each["EventSourceArn"]["Fn::GetAtt"][0]: each for each in lossless}


@pytest.fixture
def shadow(mappings: Mappings) -> dict[str, Any]:
    """The mapping that carries observations."""
    return mappings["ShadowScoreFunction"]


def test_every_mapping_is_known_here(mappings: Mappings) -> None:
    assert {name: each["EventSourceArn"]["Fn::GetAtt"][0] for name, each in mappings.items()} == {
        "ScoreTransactionsFunction": "TransactionStream",
        "ProjectDecisionsFunction": "DecisionTable",
        "ShadowScoreFunction": "DecisionTable",
        "RecordLabelsFunction": "LabelQueue",
    }


def test_a_table_stream_has_no_more_than_the_two_readers_that_dynamodb_allows_it(mappings: Mappings) -> None:
    reading = [each for each in mappings.values() if each["EventSourceArn"]["Fn::GetAtt"][0] == "DecisionTable"]
    assert len(reading) <= 2


def test_every_mapping_retries_only_what_failed(mappings: Mappings) -> None:
    assert [each.get("FunctionResponseTypes") for each in mappings.values()] == [["ReportBatchItemFailures"]] * 4


def test_a_stream_is_read_from_its_beginning(on_streams: Mappings, shadow: dict[str, Any]) -> None:
    assert {each["StartingPosition"] for each in (*on_streams.values(), shadow)} == {"TRIM_HORIZON"}


def test_a_failing_batch_is_bisected_and_retried_through_an_outage_of_hours(on_streams: Mappings) -> None:
    """Age is to end the retries, not their number: a few attempts are over while a table still throttles, and accepted
    payments would wait for a person. A thousand last five hours when Lambda's back-off averages twenty seconds. Lambda
    takes up to 10,000."""
    for each in on_streams.values():
        assert each["BisectBatchOnFunctionError"] is True
        assert 1000 <= each["MaximumRetryAttempts"] < 10_000


def test_records_age_out_of_a_mapping_before_they_age_out_of_the_stream(
    on_streams: Mappings, template: dict[str, Any]
) -> None:
    """With time left for a person to read from the stream what even the on-failure destination did not receive."""
    of_profile = {"Fn::FindInMap": ["Profiles", {"Ref": "Profile"}, "LongestRecordAge"]}
    ages = {source: each["MaximumRecordAgeInSeconds"] for source, each in on_streams.items()}
    assert ages == {"TransactionStream": of_profile, "DecisionTable": 12 * 3600}
    for profile in template["Mappings"]["Profiles"].values():
        assert profile["LongestRecordAge"] <= profile["RetentionHours"] * 3600 / 2


def test_stream_has_the_shards_and_the_retention_of_its_profile(template: dict[str, Any]) -> None:
    stream = template["Resources"]["TransactionStream"]["Properties"]
    shards = {"Fn::FindInMap": ["Profiles", {"Ref": "Profile"}, "Shards"]}
    assert stream["ShardCount"] == {"Fn::If": ["HasShards", {"Ref": "StreamShards"}, shards]}
    assert stream["RetentionPeriodHours"] == {"Fn::FindInMap": ["Profiles", {"Ref": "Profile"}, "RetentionHours"]}
    kept = {name: (each["Shards"], each["RetentionHours"]) for name, each in template["Mappings"]["Profiles"].items()}
    assert kept == {"minimal": (1, 24), "production": (4, 168)}


def test_what_was_given_up_goes_to_the_quarantine_in_full(on_streams: Mappings) -> None:
    for each in on_streams.values():
        assert each["DestinationConfig"] == {"OnFailure": {"Destination": {"Fn::GetAtt": ["QuarantineBucket", "Arn"]}}}


def test_transactions_are_not_filtered_since_a_filter_drops_what_is_not_json(on_streams: Mappings) -> None:
    assert "FilterCriteria" not in on_streams["TransactionStream"]


def test_a_card_has_one_writer(on_streams: Mappings) -> None:
    assert on_streams["TransactionStream"]["ParallelizationFactor"] == 1


def test_a_decision_is_projected_until_it_carries_the_projections_mark(on_streams: Mappings) -> None:
    """By paths that end in a leaf and lie below `dynamodb`: AWS promises filters of table streams no more than that."""
    (each,) = on_streams["DecisionTable"]["FilterCriteria"]["Filters"]
    marked = {"transaction_id": {"S": [{"exists": True}]}, "projected": {"BOOL": [{"exists": False}]}}
    assert json.loads(each["Pattern"]) == {"dynamodb": {"NewImage": marked}}


def test_the_shadow_sees_what_the_projection_sees(on_streams: Mappings, shadow: dict[str, Any]) -> None:
    assert shadow["FilterCriteria"] == on_streams["DecisionTable"]["FilterCriteria"]


def test_an_observation_is_no_payment_and_is_given_up_soon(shadow: dict[str, Any]) -> None:
    """Another comes with the next transaction, and one that is old is of no use to a rollout that has gone on."""
    assert shadow["BisectBatchOnFunctionError"] is True
    assert (shadow["MaximumRetryAttempts"], shadow["MaximumRecordAgeInSeconds"]) == (10, 3600)


def test_an_observation_that_is_given_up_is_counted_and_not_kept(shadow: dict[str, Any]) -> None:
    """A replay would offer it to a rollout that is over; and what lies in the quarantine is for `fraud
    replay-quarantine`, which knows transactions and decisions. An alarm tells of it."""
    assert "DestinationConfig" not in shadow
    assert shadow["MetricsConfig"] == {"Metrics": ["EventCount"]}


def test_the_shadow_is_called_rarely_since_nobody_waits_for_it(shadow: dict[str, Any]) -> None:
    assert (shadow["BatchSize"], shadow["MaximumBatchingWindowInSeconds"]) == (100, 5)


def test_a_label_that_keeps_failing_goes_to_the_dead_letter_queue(template: dict[str, Any]) -> None:
    redrive = template["Resources"]["LabelQueue"]["Properties"]["RedrivePolicy"]
    assert redrive == {"deadLetterTargetArn": {"Fn::GetAtt": ["LabelDeadLetterQueue", "Arn"]}, "maxReceiveCount": 5}
    assert template["Resources"]["LabelDeadLetterQueue"]["Properties"]["MessageRetentionPeriod"] == 14 * 86400


def test_labels_stay_invisible_for_six_times_the_consumers_timeout_and_its_window(
    mappings: Mappings, template: dict[str, Any]
) -> None:
    timeout = template["Resources"]["RecordLabelsFunction"]["Properties"]["Timeout"]
    (window,) = [
        each["MaximumBatchingWindowInSeconds"]
        for each in mappings.values()
        if each["EventSourceArn"] == {"Fn::GetAtt": ["LabelQueue", "Arn"]}
    ]
    invisible = template["Resources"]["LabelQueue"]["Properties"]["VisibilityTimeout"]
    assert invisible >= 6 * timeout + window


def test_stream_is_read_through_a_consumer_where_it_fans_out(template: dict[str, Any]) -> None:
    for fan_out, arn in (
        ("DISABLED", ["TransactionStream", "Arn"]),
        ("ENABLED", ["TransactionConsumer", "ConsumerARN"]),
    ):
        standing = conditions.resources(template, {"EnhancedFanOut": fan_out})
        [mapping] = [
            each["Properties"]
            for each in standing.values()
            if each["Type"] == "AWS::Lambda::EventSourceMapping"
            and each["Properties"]["FunctionName"] == {"Ref": "ScoreTransactionsFunction"}
        ]
        assert mapping["EventSourceArn"] == {"Fn::GetAtt": arn}
        assert ("TransactionConsumer" in standing) == (fan_out == "ENABLED")


def test_consumer_is_the_one_that_the_role_may_subscribe_by(template: dict[str, Any], roles: Mappings) -> None:
    name = template["Resources"]["TransactionConsumer"]["Properties"]["ConsumerName"]
    [granted] = policies.granting(roles["ScoreTransactionsRole"], "kinesis:SubscribeToShard")
    assert granted["Resource"] == {"Fn::Sub": f"${{TransactionStream.Arn}}/consumer/{name}:*"}
