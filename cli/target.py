"""Which stack a command talks to: the one on the laptop, or one on AWS."""

import functools
import inspect
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from cli.errors import CommandError, NotFound

LOCAL_FILE = Path(".fraud") / "local.json"
DEFAULT_STACK = "fraud-detection"
PANEL = "Which stack"
# The laptop checks no signature, but boto3 refuses to sign without a key.
LAPTOP_KEY = "test"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Target:
    """A stack and how to reach it; endpoint_url is None on AWS."""

    stack_name: str
    endpoint_url: str | None = None
    region: str | None = None
    profile: str | None = None

    @property
    def on_laptop(self) -> bool:
        """Whether the endpoint is this machine's own."""
        return self.endpoint_url is not None and urlsplit(self.endpoint_url).hostname in LOOPBACK

    def client(self, service: str, **config: Any) -> Any:
        """A boto3 client with explicit timeouts; `config` goes to botocore's Config."""
        from botocore.config import Config

        retries = {"mode": "standard", "total_max_attempts": 2 if self.on_laptop else 4}
        settings: dict[str, Any] = {"connect_timeout": 5, "read_timeout": 60, "retries": retries} | config
        # botocore completes the retries it is given in place, which may be a constant of the caller.
        settings["retries"] = dict(settings["retries"])
        return self.session.client(service, endpoint_url=self.endpoint_url, config=Config(**settings))

    @functools.cached_property
    def session(self) -> Any:
        """The boto3 session, with stand-in keys on the laptop."""
        import boto3

        if self.on_laptop:
            return boto3.Session(
                region_name=self.region or "us-east-1",
                aws_access_key_id=LAPTOP_KEY,
                aws_secret_access_key=LAPTOP_KEY,
            )
        return _aws_session(self.profile, self.region)

    @functools.cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's outputs, by key."""
        stack = self._describe()
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def output(self, key: str) -> str:
        """One output of the stack. Raises: NotFound."""
        if key not in self.outputs:
            raise NotFound(f"Stack {self.stack_name} has no output {key}: it was deployed from another template.")
        return self.outputs[key]

    def resource(self, logical_id: str) -> str:
        """Physical id of a resource of the stack. Raises: NotFound."""
        if logical_id not in self.resources:
            raise NotFound(f"Stack {self.stack_name} has no {logical_id}: it was deployed from another template.")
        return self.resources[logical_id]

    @functools.cached_property
    def resources(self) -> dict[str, str]:
        """Physical ids of the stack's resources, by logical id."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=self.stack_name)
        found = (each for page in pages for each in page["StackResourceSummaries"])
        return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in found if "PhysicalResourceId" in each}

    def _describe(self) -> dict[str, Any]:
        from botocore.exceptions import ClientError

        try:
            stacks = self.client("cloudformation").describe_stacks(StackName=self.stack_name)["Stacks"]
        except ClientError as error:
            raise self._missing_or(error) from error
        return dict(stacks[0])

    def _missing_or(self, error: Any) -> Exception:
        if "does not exist" not in str(error):
            return error if isinstance(error, Exception) else CommandError(str(error))
        where = self.endpoint_url or f"region {self.session.region_name}"
        return NotFound(
            f"No stack {self.stack_name} at {where}: deploy it with `sam deploy`, start one here with `fraud up`, "
            "or name another with --stack-name."
        )


def _aws_session(profile: str | None, region: str | None) -> Any:
    import boto3
    from botocore.exceptions import ProfileNotFound

    try:
        session = boto3.Session(profile_name=profile, region_name=region)
    except ProfileNotFound as error:
        raise CommandError(f"{error}: run `aws configure --profile {profile}` or name another.") from error
    if session.region_name is None:
        raise CommandError("No region: start a stack here with `fraud up`, or pass --region / set AWS_REGION for AWS.")
    return session


def resolve(
    *,
    endpoint_url: str | None = None,
    stack_name: str | None = None,
    region: str | None = None,
    profile: str | None = None,
    local_file: Path = LOCAL_FILE,
) -> Target:
    """The explicit endpoint, else the stack running here, else AWS."""
    laptop = None if profile else running_laptop(local_file)
    if laptop is None or endpoint_url not in (None, laptop["endpoint_url"]):
        return Target(stack_name or DEFAULT_STACK, endpoint_url, region, profile)
    # A region left in the shell by work on AWS must not hide the stack that runs here.
    return Target(stack_name or laptop["stack_name"], laptop["endpoint_url"], laptop["region"])


def running_laptop(local_file: Path = LOCAL_FILE) -> Mapping[str, Any] | None:
    """What `fraud up` wrote in this directory, if that process still lives."""
    try:
        laptop = json.loads(local_file.read_text())
        return laptop if _alive(int(laptop["pid"])) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


EndpointUrl = Annotated[
    str | None,
    typer.Option("--endpoint-url", envvar="FRAUD_ENDPOINT_URL", help="Talk to this URL.", rich_help_panel=PANEL),
]
StackName = Annotated[
    str | None,
    typer.Option(
        "--stack-name", envvar="FRAUD_STACK_NAME", help=f"The stack; {DEFAULT_STACK} by default.", rich_help_panel=PANEL
    ),
]
Region = Annotated[
    str | None,
    typer.Option("--region", envvar=["AWS_REGION", "AWS_DEFAULT_REGION"], help="AWS region.", rich_help_panel=PANEL),
]
Profile = Annotated[str | None, typer.Option("--profile", help="AWS profile; never the laptop.", rich_help_panel=PANEL)]
OPTIONS = {"endpoint_url": EndpointUrl, "stack_name": StackName, "region": Region, "profile": Profile}


def addressed(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose its stack, and pass it the resolved `target`."""

    @functools.wraps(command)
    def call(**arguments: Any) -> None:
        choice = {name: arguments.pop(name) for name in OPTIONS}
        command(target=resolve(**choice), **arguments)

    _declare(call, command)
    return call


def _declare(call: Callable[..., None], command: Callable[..., None]) -> None:
    own = [each for each in inspect.signature(command).parameters.values() if each.name != "target"]
    keyword = inspect.Parameter.KEYWORD_ONLY
    shared = [inspect.Parameter(name, keyword, default=None, annotation=kind) for name, kind in OPTIONS.items()]
    parameters = [each.replace(kind=keyword) for each in own] + shared
    call.__dict__["__signature__"] = inspect.Signature(parameters)
    call.__annotations__ = {each.name: each.annotation for each in parameters}
