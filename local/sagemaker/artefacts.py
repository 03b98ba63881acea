"""Objects of the stack's S3 that jobs and endpoints read and write."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.sagemaker.api import ApiError


class Artefacts:
    """S3 as SageMaker uses it; addresses are s3:// URIs."""

    def __init__(self, s3: Any) -> None:
        self._s3 = s3
        self.errors: type[Exception] = s3.exceptions.ClientError

    def require(self, uri: str) -> None:
        """Raises: ApiError if there is no such object."""
        bucket, key = _split(uri)
        try:
            self._s3.head_object(Bucket=bucket, Key=key)
        except self.errors as error:
            raise ApiError(f"Could not find model data at {uri}.") from error

    def read(self, uri: str) -> bytes:
        bucket, key = _split(uri)
        content: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content

    def write(self, uri: str, content: bytes) -> None:
        bucket, key = _split(uri)
        self._s3.put_object(Bucket=bucket, Key=key, Body=content)

    def extract(self, uri: str, directory: Path) -> None:
        """Untar a .tar.gz object."""
        directory.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(self.read(uri)), mode="r:gz") as archive:
            archive.extractall(directory, filter="data")

    def archive(self, directory: Path, uri: str) -> None:
        """Write a directory's content as a .tar.gz object."""
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w:gz") as archive:
            for path in sorted(directory.iterdir()):
                archive.add(path, path.name)
        self.write(uri, content.getvalue())

    def download(self, prefix: str, directory: Path) -> None:
        """Lay out the objects below a prefix relative to it, as File mode does."""
        bucket, key_prefix = _split(prefix)
        for key in self._keys(bucket, key_prefix):
            relative = key.removeprefix(key_prefix).lstrip("/") or key.rpartition("/")[2]
            target = directory / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.read(f"s3://{bucket}/{key}"))

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        for answer in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from (entry["Key"] for entry in answer.get("Contents", ()) if not entry["Key"].endswith("/"))


def _split(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    if parts.scheme != "s3" or not parts.netloc:
        raise ApiError(f"{uri} is not an S3 address.")
    return parts.netloc, parts.path.lstrip("/")
