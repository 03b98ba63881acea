"""Names of what a deployment creates: SageMaker takes them, and they follow from the content alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.deployment_ports import Capture, EndpointPlan, Hosting, Instance
from tests.deployment.packages import HOSTING, INSTANCE, KEY, PLAN, ROLE

LEGAL = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
ENDPOINTS = st.from_regex(LEGAL, fullmatch=True).filter(lambda name: len(name) <= 63)


@given(ENDPOINTS, st.integers(1, 10**9))
def test_names_of_any_endpoint_and_version_are_legal(endpoint: str, version: int) -> None:
    plan = EndpointPlan(endpoint, "arn", version, INSTANCE, HOSTING)

    for name in (plan.model, plan.config):
        assert LEGAL.fullmatch(name) and len(name) <= 63 and f"-v{version}-" in name


def test_names_tell_slot_and_version() -> None:
    assert PLAN.model.startswith("fraud-a-v3-") and PLAN.config.startswith("fraud-a-v3-")


def test_names_of_the_same_content_never_change() -> None:
    assert (PLAN.model, PLAN.config) == ("fraud-a-v3-9f16f2da", "fraud-a-v3-9feb18b9")


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, model_package="arn:of/another/3"),
        replace(PLAN, endpoint="fraud-b"),
        replace(PLAN, hosting=Hosting(ROLE + "-of-another-stack")),
    ],
)
def test_names_of_another_package_slot_or_role_are_others(other: EndpointPlan) -> None:
    assert other.model != PLAN.model and other.config != PLAN.config


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, instance=Instance("ml.m5.large", 2)),
        replace(PLAN, hosting=Hosting(ROLE, KEY)),
        replace(PLAN, hosting=Hosting(ROLE, None, Capture("s3://archive/capture"))),
    ],
)
def test_names_of_other_machines_share_the_model(other: EndpointPlan) -> None:
    assert other.model == PLAN.model and other.config != PLAN.config


def test_names_of_long_endpoints_that_differ_at_their_end_are_others() -> None:
    one, another = (replace(PLAN, endpoint="f" * 62 + end) for end in "ab")

    assert one.model != another.model
