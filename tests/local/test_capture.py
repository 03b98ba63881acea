"""Data capture: which requests are kept, how a record reads, where it lies, and that nobody waits for it."""

import base64
import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from local.sagemaker import capture
from local.sagemaker.api import ApiError, Document, answer
from local.sagemaker.capture import Captures
from local.sagemaker.endpoints import Endpoints
from tests.local.conftest import Running, eventually
from tests.local.lab import Lab

ASKED, ANSWERED = ("text/csv", b"12.5,0,1"), ("application/json", b'{"scores": [0.1]}')
WHERE = ("fraud-a", "primary")
UUID = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
MOMENT = datetime(2026, 8, 21, 17, 25, 6, 42_000, UTC)
BY_HAND = 3600.0
"""Seconds after which a test is long over: it flushes by itself."""


class Shelf:
    """S3 that holds what is written, or refuses it."""

    errors = ClientError

    def __init__(self) -> None:
        self.files: dict[str, list[Document]] = {}
        self.before: Callable[[str], None] = lambda uri: None
        """Called with each address that is written to."""

    def write(self, uri: str, content: bytes) -> None:
        self.before(uri)
        assert content.endswith(b"\n")
        self.files[uri] = [json.loads(line) for line in content.splitlines()]

    @property
    def records(self) -> list[Document]:
        return [record for records in self.files.values() for record in records]

    @property
    def inputs(self) -> list[str]:
        return [record["captureData"]["endpointInput"]["data"] for record in self.records]


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


def captures(shelf: Any, flush_seconds: float = BY_HAND) -> Captures:
    return Captures(shelf, flush_seconds)


def config(*modes: str, **changes: Any) -> Document:
    return {
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": "s3://archive/capture",
        "CaptureOptions": [{"CaptureMode": mode} for mode in modes or ("Input", "Output")],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
        **changes,
    }


def record(shelf: Shelf, *, asked: Any = ASKED, answered: Any = ANSWERED, **changes: Any) -> Document:
    """What is kept of one request."""
    taking = captures(shelf)
    taking.take(config(**changes), WHERE, asked, answered, {})
    taking.flush()
    return shelf.records[0]


def take(taking: Captures, *rows: str, where: tuple[str, str] = WHERE, **changes: Any) -> None:
    for row in rows:
        taking.take(config(**changes), where, ("text/csv", row.encode()), ANSWERED, {})


# --- A record ---------------------------------------------------------------------------------------------------------


def test_a_record_has_request_answer_and_event_as_model_monitor_reads_them(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "now", lambda: MOMENT)
    taking = captures(shelf)
    taking.take(config(), WHERE, ASKED, ANSWERED, {"x-amzn-sagemaker-inference-id": "order-7"})
    taking.flush()
    (kept,) = shelf.records
    assert re.fullmatch(UUID, kept["eventMetadata"].pop("eventId"))
    assert kept == {
        "captureData": {
            "endpointInput": {
                "observedContentType": "text/csv", "mode": "INPUT", "data": "12.5,0,1", "encoding": "CSV"
            },
            "endpointOutput": {
                "observedContentType": "application/json", "mode": "OUTPUT", "data": '{"scores": [0.1]}',
                "encoding": "JSON",
            },
        },
        "eventMetadata": {"inferenceId": "order-7", "inferenceTime": "2026-08-21T17:25:06Z"},
        "eventVersion": "0",
    }  # fmt: skip


def test_a_record_without_an_inference_id_names_none(shelf: Shelf) -> None:
    assert record(shelf)["eventMetadata"].keys() == {"eventId", "inferenceTime"}


def test_a_record_has_the_attributes_that_the_caller_gave(shelf: Shelf) -> None:
    taking = captures(shelf)
    taking.take(config(), WHERE, ASKED, ANSWERED, {"x-amzn-sagemaker-custom-attributes": "trace=1"})
    taking.flush()
    assert shelf.records[0]["eventMetadata"]["customAttributes"] == ["trace=1"]


@pytest.mark.parametrize(
    ("modes", "kept"),
    [
        (("Input",), {"endpointInput"}),
        (("Output",), {"endpointOutput"}),
        (("InputAndOutput",), {"endpointInput", "endpointOutput"}),
    ],
)
def test_a_record_has_the_parts_that_are_asked_for(shelf: Shelf, modes: tuple[str], kept: set[str]) -> None:
    options = [{"CaptureMode": mode} for mode in modes]
    assert record(shelf, CaptureOptions=options)["captureData"].keys() == kept


def test_a_content_type_is_matched_by_its_media_type_and_kept_whole(shelf: Shelf) -> None:
    kept = record(shelf, answered=("text/csv; charset=utf-8", b"0.0231\n"))["captureData"]["endpointOutput"]
    assert kept == {
        "observedContentType": "text/csv; charset=utf-8", "mode": "OUTPUT", "data": "0.0231\n", "encoding": "CSV"
    }  # fmt: skip


@pytest.mark.parametrize("types", [{}, {"CsvContentTypes": ["text/tsv"], "JsonContentTypes": ["application/jsonl"]}])
def test_a_content_type_that_is_not_named_is_base64(shelf: Shelf, types: Document) -> None:
    parts = record(shelf, CaptureContentTypeHeader=types)["captureData"]
    for part, content in (("endpointInput", ASKED[1]), ("endpointOutput", ANSWERED[1])):
        assert (parts[part]["encoding"], base64.b64decode(parts[part]["data"])) == ("BASE64", content)


# --- Where it lies ----------------------------------------------------------------------------------------------------


def test_records_lie_by_endpoint_variant_and_hour_several_in_a_file(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "now", lambda: MOMENT)
    taking = captures(shelf)
    take(taking, "1", "2", "3")
    taking.flush()
    ((uri, records),) = shelf.files.items()
    assert re.fullmatch(rf"s3://archive/capture/fraud-a/primary/2026/08/21/17/25-06-042-{UUID}\.jsonl", uri)
    assert len(records) == 3
    assert shelf.inputs == ["1", "2", "3"]
    assert len({each["eventMetadata"]["eventId"] for each in records}) == 3


def test_records_of_another_hour_or_variant_lie_apart(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    taking = captures(shelf)
    for minute, where in ((59, WHERE), (60, WHERE), (60, ("fraud-a", "second"))):
        at = MOMENT.replace(hour=17 + minute // 60, minute=minute % 60)
        monkeypatch.setattr(capture, "now", lambda at=at: at)
        take(taking, "1", where=where, DestinationS3Uri="s3://archive/capture/")
    # Written in the hour after: the names tell when records were taken.
    taking.flush()
    assert [uri.removeprefix("s3://archive/capture/fraud-a/")[:29] for uri in shelf.files] == [
        "primary/2026/08/21/17/59-06-0", "primary/2026/08/21/18/00-06-0", "second/2026/08/21/18/00-06-04"
    ]  # fmt: skip


def test_what_was_written_is_not_written_again(shelf: Shelf) -> None:
    taking = captures(shelf)
    take(taking, "1")
    taking.flush()
    taking.flush()
    assert shelf.inputs == ["1"]


# --- Which are kept ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("percentage", "least", "most"), [(0, 0, 0), (30, 420, 780), (100, 2_000, 2_000)])
def test_the_percentage_of_requests_is_kept(shelf: Shelf, percentage: int, least: int, most: int) -> None:
    taking = captures(shelf)
    take(taking, *["1"] * 2_000, InitialSamplingPercentage=percentage)
    taking.flush()
    assert least <= len(shelf.records) <= most


@pytest.mark.parametrize("given", [None, config(EnableCapture=False)])
def test_nothing_is_kept_without_capture(shelf: Shelf, given: Document | None) -> None:
    taking = captures(shelf)
    taking.take(given, WHERE, ASKED, ANSWERED, {})
    taking.flush()
    assert shelf.files == {}


def test_the_oldest_are_dropped_where_more_wait_than_may(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capture, "MOST_WAITING", 3)
    taking = captures(shelf)
    take(taking, "1", "2", "3", "4", "5")
    taking.flush()
    assert shelf.inputs == ["3", "4", "5"]
    assert taking.lost == 2


def test_the_oldest_are_dropped_where_more_memory_is_held_than_may(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture, "MOST_WAITING_BYTES", 5_000)
    taking = captures(shelf)
    take(taking, *[str(number) * 2_000 for number in range(4)])
    taking.flush()
    take(taking, "last")
    taking.flush()
    # Records of some 2,300 bytes: two fit, and again once they are written.
    assert [row[0] for row in shelf.inputs] == ["2", "3", "l"]
    assert taking.lost == 2


# --- Nobody waits -----------------------------------------------------------------------------------------------------


def test_a_request_does_not_wait_for_a_write_that_hangs(shelf: Shelf) -> None:
    hanging, let_go = threading.Event(), threading.Event()

    def hang(_: str) -> None:
        hanging.set()
        assert let_go.wait(30)

    shelf.before = hang
    taking = captures(shelf, flush_seconds=0.01)
    take(taking, "1")
    assert hanging.wait(30)
    take(taking, "2", "3")
    assert shelf.files == {}
    let_go.set()
    eventually(lambda: shelf.inputs == ["1", "2", "3"])


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "NoSuchBucket", "Message": ""}}, "PutObject"),
        EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
    ],
)
def test_a_write_that_fails_takes_neither_other_files_nor_later_ones_with_it(shelf: Shelf, error: Exception) -> None:
    def fail(uri: str) -> None:
        if "/gone/" in uri:
            raise error

    shelf.before = fail
    taking = captures(shelf, flush_seconds=0.01)
    take(taking, "1", where=("gone", "primary"))
    take(taking, "2")
    eventually(lambda: shelf.inputs == ["2"])
    take(taking, "3", where=("gone", "primary"))
    take(taking, "4")
    eventually(lambda: shelf.inputs == ["2", "4"])


def test_requests_that_could_not_be_written_are_counted_and_told(
    shelf: Shelf, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: str) -> None:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")

    shelf.before = fail
    taking = captures(shelf)
    take(taking, "1", "2")
    taking.flush()
    assert taking.lost == 2
    assert "2 captured requests are lost" in caplog.text


def test_a_flush_returns_when_all_that_was_taken_before_is_written(shelf: Shelf) -> None:
    hanging, let_go = threading.Event(), threading.Event()

    def hang(_: str) -> None:
        hanging.set()
        assert let_go.wait(30)

    shelf.before = hang
    taking = captures(shelf, flush_seconds=0.01)
    take(taking, "1")
    assert hanging.wait(30)
    flushed = threading.Thread(target=taking.flush)
    flushed.start()
    flushed.join(0.1)
    assert flushed.is_alive()
    let_go.set()
    flushed.join(30)
    assert shelf.inputs == ["1"]


class Hosting:
    """Configurations, models and containers of an endpoint that answers nobody."""

    def get(self, _: str) -> Document:
        return {"ProductionVariants": [{"VariantName": "primary", "ModelName": "", "InitialVariantWeight": 1.0}]}

    def spec(self, _: str) -> None: ...

    def start(self, *_: Any) -> "Hosting":
        return self

    def close(self) -> None: ...


def test_an_endpoint_is_not_gone_before_what_it_captured_is_written(tmp_path: Path) -> None:
    hosting: Any = Hosting()
    endpoints = Endpoints("arn", hosting, hosting, hosting.start, tmp_path)
    seen: list[str] = []
    endpoints.flush_captures = lambda: seen.append(status())

    def status() -> str:
        return str(endpoints.describe(named)["EndpointStatus"])

    named: Document = {"EndpointName": "fraud-a"}
    endpoints.create({**named, "EndpointConfigName": "first"})
    eventually(lambda: status() == "InService")
    endpoints.delete(named)
    eventually(lambda: seen)
    assert seen == ["Deleting"]


# --- Configurations ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"InitialSamplingPercentage": -1},
        {"InitialSamplingPercentage": 101},
        {"DestinationS3Uri": "https://archive/capture"},
        {"DestinationS3Uri": "s3://"},
    ],
)
def test_a_configuration_that_could_not_capture_is_refused(changes: Document) -> None:
    with pytest.raises(ApiError):
        capture.check(config(**changes))


@pytest.mark.parametrize("percentage", [0, 100])
def test_the_ends_of_the_percentage_are_allowed(percentage: int) -> None:
    capture.check(config(InitialSamplingPercentage=percentage))


@pytest.mark.parametrize(
    "changes",
    [
        {"InitialSamplingPercentage": 101},
        {"CaptureOptions": [{"CaptureMode": "Input"}] * 33},
        {"CaptureOptions": []},
        {"CaptureOptions": [{"CaptureMode": "Both"}]},
        {"CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"] * 11}},
        {"CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"] * 11}},
    ],
)
def test_a_configuration_is_checked_against_the_services_model(changes: Document) -> None:
    variant = {"VariantName": "primary", "ModelName": "first"}
    request = {"EndpointConfigName": "first", "ProductionVariants": [variant], "DataCaptureConfig": config(**changes)}
    status, content = answer(
        "SageMaker.CreateEndpointConfig", json.dumps(request).encode(), {"CreateEndpointConfig": lambda _: {}}
    )
    assert (status, json.loads(content)["__type"]) == (400, "ValidationException")


# --- On the running stack ---------------------------------------------------------------------------------------------


class Captured:
    """What an endpoint of the laboratory captured."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.prefix = f"lab/{lab.name}/capture/"
        self.config = config(DestinationS3Uri=f"s3://{lab.bucket}/{self.prefix}")

    def keys(self) -> list[str]:
        found = self.lab.s3.list_objects_v2(Bucket=self.lab.bucket, Prefix=self.prefix).get("Contents", [])
        return sorted(each["Key"].removeprefix(self.prefix) for each in found)

    def records(self) -> list[Document]:
        return [json.loads(line) for key in self.keys() for line in self._read(key).splitlines()]

    def names(self) -> list[str]:
        """Inference ids, in order of their arrival."""
        return [each["eventMetadata"]["inferenceId"] for each in self.records()]

    def _read(self, key: str) -> bytes:
        content: bytes = self.lab.s3.get_object(Bucket=self.lab.bucket, Key=self.prefix + key)["Body"].read()
        return content


@pytest.fixture
def captured(stack: Running, outputs: dict[str, str]) -> Captured:
    return Captured(Lab(stack, outputs, set()))


def test_what_an_endpoint_was_asked_and_answered_lies_in_the_bucket(captured: Captured) -> None:
    lab = captured.lab
    lab.endpoint(lab.container(), DataCaptureConfig=captured.config)
    answer = lab.invoke("1,2", InferenceId="order-7")
    (kept,) = eventually(captured.records)
    assert kept["captureData"]["endpointInput"]["data"] == "1,2"
    output = kept["captureData"]["endpointOutput"]
    assert (output["encoding"], json.loads(output["data"])) == ("JSON", answer)
    assert kept["eventMetadata"]["inferenceId"] == "order-7"
    hour = datetime.fromisoformat(kept["eventMetadata"]["inferenceTime"]).strftime("%Y/%m/%d/%H")
    (key,) = captured.keys()
    assert re.fullmatch(rf"{lab.name}/AllTraffic/{hour}/\d\d-\d\d-\d\d\d-{UUID}\.jsonl", key)


def test_an_invocation_that_fails_is_not_captured(captured: Captured) -> None:
    lab = captured.lab
    lab.endpoint(lab.container(), DataCaptureConfig=captured.config)
    with pytest.raises(lab.runtime.exceptions.ModelError):
        lab.invoke("no number", InferenceId="failed")
    lab.invoke("1", InferenceId="answered")
    assert eventually(captured.names) == ["answered"]


def test_an_endpoint_that_is_updated_captures_as_its_new_configuration_says(captured: Captured) -> None:
    lab = captured.lab
    lab.endpoint(lab.container(), DataCaptureConfig=captured.config)
    lab.invoke("1", InferenceId="first")
    lab.config(f"{lab.name}-without", lab.container())
    for number, name in (("second", f"{lab.name}-without"), ("third", lab.name)):
        lab.sagemaker.update_endpoint(EndpointName=lab.name, EndpointConfigName=name)
        lab.settled()
        lab.invoke("1", InferenceId=number)
    names = eventually(lambda: found if "third" in (found := captured.names()) else None)
    assert names == ["first", "third"]


@pytest.mark.parametrize(("is_on", "status"), [(True, "Started"), (False, "Stopped")])
def test_an_endpoint_tells_how_it_captures(captured: Captured, is_on: bool, status: str) -> None:
    lab, given = captured.lab, captured.config | {"EnableCapture": is_on, "InitialSamplingPercentage": 25}
    lab.endpoint(lab.container(), DataCaptureConfig=given)
    assert lab.settled()["DataCaptureConfig"] == {
        "EnableCapture": is_on, "CaptureStatus": status, "CurrentSamplingPercentage": 25,
        "DestinationS3Uri": given["DestinationS3Uri"], "KmsKeyId": "",
    }  # fmt: skip
    assert lab.sagemaker.describe_endpoint_config(EndpointConfigName=lab.name)["DataCaptureConfig"] == given


def test_an_endpoint_without_capture_tells_of_none(captured: Captured) -> None:
    lab = captured.lab
    lab.endpoint(lab.container())
    assert "DataCaptureConfig" not in lab.settled()


def test_an_endpoint_configuration_that_could_not_capture_is_refused(captured: Captured) -> None:
    lab = captured.lab
    with pytest.raises(ClientError, match="InitialSamplingPercentage"):
        lab.config(lab.name, lab.container(), DataCaptureConfig=captured.config | {"InitialSamplingPercentage": 101})
