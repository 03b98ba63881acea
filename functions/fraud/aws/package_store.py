"""Model artefacts and package documents in S3."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError

from fraud.aws.control_plane import code, deploying
from fraud.errors import InvalidPackage

PREFIX = "models"
MISSING = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".sql": "text/plain; charset=utf-8",
}
"""Of what people open from the console: a browser shows what it is told is text, and saves the rest."""


@dataclass(frozen=True)
class S3PackageStore:
    """Objects that model packages refer to; they are never changed, another content gets another name.

    Args:
        client: S3.
        bucket: where new artefacts are put; packages may refer to others.
    """

    client: Any
    bucket: str

    def read(self, uri: str, largest: int) -> bytes:
        """The content of an object.

        Raises:
            InvalidPackage: nothing is there, or more than `largest` bytes.
            DeploymentInterrupted: no answer.
        """
        bucket, key = _address(uri)
        with deploying(f"reading {uri}"):
            try:
                body = self.client.get_object(Bucket=bucket, Key=key)["Body"]
            except ClientError as error:
                if code(error) in MISSING:
                    raise InvalidPackage(f"there is no object {uri}") from error
                raise
            content: bytes = body.read(largest + 1)
        if len(content) > largest:
            raise InvalidPackage(f"{uri} is larger than {largest} bytes")
        return content

    def write(self, name: str, content: bytes) -> str:
        """Put an object; its URI.

        Raises:
            DeploymentInterrupted: not known to be stored; storing again is safe.
        """
        key = f"{PREFIX}/{name}"
        kind = CONTENT_TYPES.get(PurePosixPath(name).suffix, "application/octet-stream")
        with deploying(f"storing s3://{self.bucket}/{key}"):
            self.client.put_object(Bucket=self.bucket, Key=key, Body=content, ContentType=kind)
        return f"s3://{self.bucket}/{key}"


def _address(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc or not parts.path.strip("/"):
        raise InvalidPackage(f"{uri} is no S3 URI of an object")
    return parts.netloc, parts.path[1:]
