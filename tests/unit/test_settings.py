"""Settings are complete and well-formed, or the cold start fails and says which is not."""

from dataclasses import asdict, fields

import pytest

from fraud import settings
from fraud.errors import InvalidSettings
from fraud.settings import (
    AbortSettings,
    AnsweringSettings,
    DeploySettings,
    JudgeSettings,
    LabellingSettings,
    PrepareSettings,
    ProjectionSettings,
    ScoringSettings,
    ShadowSettings,
    SteerSettings,
    TrafficSettings,
)
from tests.fakes.functions import ENVIRONMENT


@pytest.mark.parametrize("kind", [ScoringSettings, ProjectionSettings, LabellingSettings])
def test_from_env_complete_environment_is_read(kind: type[ScoringSettings]) -> None:
    found = settings.from_env(kind, ENVIRONMENT)
    assert (found.entity_table, found.entity_retention_days) == ("entities", 365)


@pytest.mark.parametrize("name", [name for name in ENVIRONMENT if name.startswith(("ENTITY", "DECISION_T", "QUAR"))])
@pytest.mark.parametrize("value", [None, ""])
def test_from_env_missing_variable_is_named(name: str, value: str | None) -> None:
    env = {key: each for key, each in ENVIRONMENT.items() if key != name}
    with pytest.raises(InvalidSettings, match=name):
        settings.from_env(ScoringSettings, env if value is None else env | {name: value})


@pytest.mark.parametrize("value", ["0", "-1", "3651", "1.5", "many", " 5"])
def test_from_env_retention_that_is_no_number_of_days_is_refused(value: str) -> None:
    with pytest.raises(InvalidSettings, match="ENTITY_RETENTION_DAYS"):
        settings.from_env(ScoringSettings, ENVIRONMENT | {"ENTITY_RETENTION_DAYS": value})


def test_from_env_budget_of_a_request_is_read() -> None:
    assert settings.from_env(AnsweringSettings, ENVIRONMENT).answer_budget_ms == 1500


@pytest.mark.parametrize("value", ["999", "5001", "1500.5", "soon", "-1500"])
def test_from_env_budget_in_which_nothing_can_be_decided_or_nobody_waits_is_refused(value: str) -> None:
    with pytest.raises(InvalidSettings, match="ANSWER_BUDGET_MS"):
        settings.from_env(AnsweringSettings, ENVIRONMENT | {"ANSWER_BUDGET_MS": value})


ROLLOUT_KINDS = (
    AbortSettings, DeploySettings, JudgeSettings, PrepareSettings, ShadowSettings, SteerSettings, TrafficSettings,
)  # fmt: skip


@pytest.mark.parametrize("kind", ROLLOUT_KINDS)
def test_from_env_every_field_is_the_variable_of_its_name_and_needed(kind: type[DeploySettings]) -> None:
    names = [field.name for field in fields(kind)]
    values = {name: 10 if name.endswith(("_percentage", "_instances")) else f"the {name}" for name in names}
    env = {name.upper(): str(value) for name, value in values.items()}
    assert asdict(settings.from_env(kind, env)) == values
    for name in names:
        with pytest.raises(InvalidSettings, match=f"{name.upper()} is missing or empty"):
            settings.from_env(kind, env | {name.upper(): ""})
