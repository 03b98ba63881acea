"""The account that is asked: its clients, and how what it says is told without its id."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from botocore.config import Config
from botocore.exceptions import ClientError

SETTINGS: Mapping[str, Any] = {
    "connect_timeout": 5,
    "read_timeout": 70,
    "retries": {"mode": "standard", "total_max_attempts": 4},
    # An address of the laptop that is left in the shell must not be taken for AWS.
    "ignore_configured_endpoint_urls": True,
}
"""A container may take a minute to answer."""
_ACCOUNT = re.compile(r"(?<!\d)\d{12}(?!\d)")
_LONGEST = 600


class Aws(Protocol):
    """The clients of an identity in a region."""

    @property
    def region(self) -> str: ...

    def client(self, service: str) -> Any: ...

    def under(self, credentials: Mapping[str, Any]) -> Aws:
        """The same region with other credentials, as AssumeRole gives them."""
        ...


@dataclass(frozen=True)
class BotoAws:
    """AWS by boto3.

    Args:
        session: of boto3.
    """

    session: Any
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def region(self) -> str:
        return str(self.session.region_name)

    def client(self, service: str) -> Any:
        """One for each service."""
        if service not in self._clients:
            self._clients[service] = self.session.client(service, config=Config(**SETTINGS))
        return self._clients[service]

    def under(self, credentials: Mapping[str, Any]) -> Aws:
        """Clients of an assumed role."""
        import boto3

        return BotoAws(
            boto3.Session(
                region_name=self.region,
                aws_access_key_id=credentials["AccessKeyId"],
                aws_secret_access_key=credentials["SecretAccessKey"],
                aws_session_token=credentials["SessionToken"],
            )
        )


def sanitised(text: str) -> str:
    """Without account ids, and cut short."""
    return _ACCOUNT.sub("<account>", " ".join(text.split()))[:_LONGEST]


def told(error: ClientError) -> str:
    """AWS's code, status and sentence."""
    response = error.response
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", "?")
    problem = response.get("Error", {})
    return sanitised(f"{status} {problem.get('Code', 'unknown')}: {problem.get('Message', '')}")
