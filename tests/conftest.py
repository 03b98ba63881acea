"""What every test runs with: one hypothesis profile, no AWS account, no real time to wait."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings

# The examples follow from the tests themselves, so a failure is the same on every machine.
settings.register_profile(
    "project", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
# Looks further, with a new seed each time; hypothesis prints how to replay what it finds.
settings.register_profile("search", deadline=None, database=None, max_examples=2000, print_blob=True)
# Is content with the first failure as it was found: for the mutation check.
settings.register_profile("first", settings.get_profile("project"), phases=[Phase.explicit, Phase.generate])
settings.load_profile(os.environ.get("FRAUD_HYPOTHESIS", "project"))


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test can reach an account: credentials are made up and profiles are out of sight."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
