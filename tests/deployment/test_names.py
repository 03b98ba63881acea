"""The name of what a deployment creates: SageMaker takes it, and it follows from the content alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.deployment_ports import Capture, EndpointPlan, Hosting, Instance
from tests.deployment.packages import HOSTING, INSTANCE, KEY, PLAN, ROLE

CAPTURE = Capture("s3://archive/capture/", 100, KEY)
LEGAL = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
ENDPOINTS = st.from_regex(LEGAL, fullmatch=True).filter(lambda name: len(name) <= 63)


@given(ENDPOINTS, st.integers(1, 10**9))
def test_name_for_any_endpoint_and_version_is_legal(endpoint: str, version: int) -> None:
    name = EndpointPlan(endpoint, "arn", version, INSTANCE, HOSTING).name

    assert LEGAL.fullmatch(name) and len(name) <= 63 and f"-v{version}-" in name


def test_name_of_the_same_content_never_changes() -> None:
    assert PLAN.name == "fraud-a-v3-4d88f7df"
    assert replace(PLAN, hosting=Hosting(ROLE, KEY)).name == "fraud-a-v3-49274396"
    assert replace(PLAN, hosting=Hosting(ROLE, KEY, CAPTURE)).name == "fraud-a-v3-b9894f4e"


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, model_package="arn:of/another/3"),
        replace(PLAN, endpoint="fraud-b"),
        replace(PLAN, instance=Instance("ml.m5.large", 2)),
        replace(PLAN, instance=Instance("ml.m5.xlarge")),
        replace(PLAN, hosting=Hosting(ROLE + "-of-another-stack")),
        replace(PLAN, hosting=Hosting(ROLE, KEY)),
        replace(PLAN, hosting=Hosting(ROLE, capture=CAPTURE)),
    ],
)
def test_name_of_any_other_content_is_another(other: EndpointPlan) -> None:
    assert other.name != PLAN.name


@pytest.mark.parametrize(
    "other",
    [
        replace(CAPTURE, uri="s3://archive/elsewhere/"),
        replace(CAPTURE, percentage=1),
        replace(CAPTURE, key=None),
        None,
    ],
)
def test_name_of_another_capture_is_another(other: Capture | None) -> None:
    one, another = (replace(PLAN, hosting=Hosting(ROLE, KEY, capture)) for capture in (CAPTURE, other))

    assert one.name != another.name


def test_name_for_long_endpoints_that_differ_at_their_end_is_another() -> None:
    one, another = (replace(PLAN, endpoint="f" * 62 + end) for end in "ab")

    assert one.name != another.name
