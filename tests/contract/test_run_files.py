"""Objects of a run: what is there, what is not, and what is too large to be what was expected."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from fraud.aws.run_files import LOOKED_AT, S3RunFiles
from fraud.errors import InvalidEvidence, StoreUnavailable
from fraud.retraining_ports import RunFiles
from tests.fakes.retraining import BUCKET, MemoryRunFiles

OTHER = "history-of-others"
RUN = f"s3://{BUCKET}/retraining/first"


@pytest.fixture(params=["memory", "aws"])
def files(request: pytest.FixtureRequest) -> Iterator[RunFiles]:
    if request.param == "memory":
        yield MemoryRunFiles()
        return
    with mock_aws():
        client = boto3.client("s3")
        for bucket in (BUCKET, OTHER):
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        yield S3RunFiles(client, BUCKET)


@pytest.fixture
def s3() -> Iterator[Stubber]:
    with Stubber(boto3.client("s3")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def test_written_object_is_read_under_its_uri(files: RunFiles) -> None:
    uri = files.write("source/ab/source.tar.gz", b"content")
    assert uri == f"s3://{BUCKET}/source/ab/source.tar.gz"
    assert files.read(uri, 7) == b"content"


def test_written_again_is_what_was_written_last(files: RunFiles) -> None:
    files.write("source/a", b"first")
    assert files.read(files.write("source/a", b"second"), 6) == b"second"


def test_read_object_larger_than_allowed_is_refused(files: RunFiles) -> None:
    uri = files.write("retraining/first/examined/checks.json", b"x" * 1_235)
    with pytest.raises(InvalidEvidence, match=f"^{uri} is larger than 1,234 bytes$"):
        files.read(uri, 1_234)


def test_read_what_is_not_there_is_refused(files: RunFiles) -> None:
    with pytest.raises(InvalidEvidence, match=f"^there is no object {RUN}/checks.json$"):
        files.read(f"{RUN}/checks.json", 10)


def test_is_empty_where_nothing_lies(files: RunFiles) -> None:
    files.write("retraining/first2/dataset/part", b"rows")
    assert files.is_empty(f"{RUN}/dataset/")


def test_is_empty_where_only_marks_without_content_lie(files: RunFiles) -> None:
    files.write("retraining/first/dataset/", b"")
    files.write("retraining/first/dataset/_SUCCESS", b"")
    assert files.is_empty(f"{RUN}/dataset/")


def test_is_empty_not_where_anything_with_a_content_lies(files: RunFiles) -> None:
    files.write("retraining/first/dataset/", b"")
    files.write("retraining/first/dataset/deeper/part", b"rows")
    assert not files.is_empty(f"{RUN}/dataset/")


def test_is_empty_looks_into_the_bucket_that_the_address_names(files: RunFiles) -> None:
    files.write("history/2024/part", b"rows")
    assert files.is_empty(f"s3://{OTHER}/history/2024/")
    assert not files.is_empty(f"s3://{BUCKET}/history/2024/")


def test_is_empty_not_where_more_lies_than_is_looked_at(s3: Stubber) -> None:
    marks = [{"Key": f"history/{number}", "Size": 0} for number in range(LOOKED_AT)]
    asked = {"Bucket": BUCKET, "Prefix": "history/", "MaxKeys": LOOKED_AT}
    s3.add_response("list_objects_v2", {"IsTruncated": True, "Contents": marks}, asked)
    assert not S3RunFiles(s3.client, BUCKET).is_empty(f"s3://{BUCKET}/history/")


@pytest.mark.parametrize(
    ("operation", "call"),
    [
        ("list_objects_v2", lambda files: files.is_empty(f"{RUN}/dataset/")),
        ("get_object", lambda files: files.read(f"{RUN}/checks.json", 10)),
        ("put_object", lambda files: files.write("source/a", b"")),
    ],
)
@pytest.mark.parametrize("code", ["SlowDown", "AccessDenied", "NoSuchBucket"])
def test_bucket_that_does_not_answer_is_unavailable(
    s3: Stubber, operation: str, call: Callable[[RunFiles], object], code: str
) -> None:
    s3.add_client_error(operation, code)
    with pytest.raises(StoreUnavailable, match=f": {code}$"):
        call(S3RunFiles(s3.client, BUCKET))
