"""Objects of a run in the archive bucket."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fraud.aws.calls import unavailable
from fraud.errors import InvalidEvidence

LOOKED_AT = 10
"""Objects among which one with a content is looked for: a query leaves a mark without content at most."""


@dataclass(frozen=True)
class S3RunFiles:
    """Objects by their S3 URIs.

    Args:
        client: S3.
        bucket: the archive, where what is written goes.
    """

    client: Any
    bucket: str

    def is_empty(self, prefix: str) -> bool:
        """Whether nothing with a content lies below an address that ends with `/`.

        Raises:
            StoreUnavailable: no answer.
        """
        bucket, key = _address(prefix)
        with unavailable("ListObjectsV2"):
            listed = self.client.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=LOOKED_AT)
        # Where there is more than was looked at, whoever reads it all may judge.
        return not listed["IsTruncated"] and not any(each["Size"] for each in listed.get("Contents", []))

    def read(self, uri: str, largest: int) -> bytes:
        """The content of an object.

        Raises:
            InvalidEvidence: nothing is there, or more than `largest` bytes.
            StoreUnavailable: no answer.
        """
        bucket, key = _address(uri)
        with unavailable("GetObject"):
            try:
                body = self.client.get_object(Bucket=bucket, Key=key)["Body"]
            except self.client.exceptions.NoSuchKey:
                raise InvalidEvidence(f"there is no object {uri}") from None
            content: bytes = body.read(largest + 1)
        if len(content) > largest:
            raise InvalidEvidence(f"{uri} is larger than {largest:,} bytes")
        return content

    def write(self, key: str, content: bytes) -> str:
        """Put an object into the bucket; its URI.

        Raises:
            StoreUnavailable: not known to be stored; storing again is safe.
        """
        with unavailable("PutObject"):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=content)
        return f"s3://{self.bucket}/{key}"


def _address(uri: str) -> tuple[str, str]:
    """Bucket and key; every URI here is of this application's own making, or was checked with its plan."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
