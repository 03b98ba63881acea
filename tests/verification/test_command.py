"""What a person may ask for, what is refused, and that nothing is spent without being asked."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer import Typer
from typer.testing import CliRunner

from local.children import ROOT
from tests.verification.conftest import Clock
from tests.verification.fake_account import ACCOUNT, REGION, Account, Interrupted, refusal
from verification import command, plan, report
from verification.errors import Refused
from verification.guards import account_of, refuse_production
from verification.ledger import Ledger
from verification.points import ALL
from verification.probe import Answer, Verdict

PAGE = ROOT / "docs" / "verify-aws.md"
PRICES = plan.load_prices()
ALARM = next(probe for probe in ALL if probe.key == "alarm-period")


def invoke(*arguments: str) -> tuple[int, str]:
    app = Typer()
    app.command()(command.verify)
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "400"})
    return result.exit_code, result.output


@pytest.fixture
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever opens a session here, spends."""

    def refuse(*arguments: object, **named: object) -> None:
        raise AssertionError("a session was opened")

    monkeypatch.setattr("boto3.Session", refuse)


def asked(account: Account, ledger: Ledger, results: Path, probes: list[Any]) -> tuple[bool, str]:
    clock, text = Clock(), io.StringIO()
    out = Console(file=text, width=400)
    is_clean = command.ask(out, account, ACCOUNT, probes, [], ledger, sleep=clock.sleep, clock=clock, results=results)
    return is_clean, text.getvalue()


# --- The dry run ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_no_account")
@pytest.mark.parametrize("arguments", [(), ("--dry-run",), ("--dry-run", "--yes-spend")])
def test_run_without_the_will_to_spend_only_says_what_it_would_do(arguments: tuple[str, ...]) -> None:
    code, output = invoke(*arguments)

    assert code == 0
    assert all(probe.question in output for probe in ALL)
    assert "Nothing was created." in output and "--yes-spend" in output
    assert f"{len(ALL)} probes: {plan.estimate(ALL, PRICES).usd:.2f} USD" in output


@pytest.mark.usefixtures("_no_account")
def test_run_without_a_named_account_is_refused_before_anything() -> None:
    code, output = invoke("--yes-spend", "--region", REGION)

    assert code == 1
    assert "--account ID --region REGION" in output


def test_unknown_probe_is_refused_with_those_there_are() -> None:
    code, output = invoke("--only", "a,nonsense")

    assert code == 1
    assert "nonsense" in output and "alarm-period" in output


# --- Price ------------------------------------------------------------------------------------------------------------


def test_probes_beyond_the_budget_are_left_out() -> None:
    fit, left_out = plan.within(ALL, 0.02, PRICES)

    assert plan.estimate(fit, PRICES).usd <= 0.02
    assert {"a", "k"} <= {probe.key for probe in left_out}
    assert fit and len(fit) + len(left_out) == len(ALL)
    assert plan.within(ALL, 0.0, PRICES)[0] == []


def test_whole_run_fits_into_the_default_budget() -> None:
    assert plan.within(ALL, 5.0, PRICES)[1] == []


def test_estimate_counts_what_is_shared_once() -> None:
    pair = [probe for probe in ALL if probe.key in ("c", "k")]
    alone = sum(plan.estimate([probe], PRICES).usd for probe in pair)

    assert max(plan.estimate([each], PRICES).usd for each in pair) < plan.estimate(pair, PRICES).usd < alone


# --- Accounts that are refused ----------------------------------------------------------------------------------------


def test_root_is_refused() -> None:
    account = Account({"sts.get_caller_identity": {"Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:root"}})

    with pytest.raises(Refused, match="root"):
        account_of(account)


def test_another_account_than_the_named_is_refused(account: Account) -> None:
    with pytest.raises(Refused, match="--account names"):
        refuse_production(account, account_of(account), "210987654321")


@pytest.mark.parametrize(
    "stack",
    [
        {"StackName": "fraud-detection-prod"},
        {"StackName": "shop", "Tags": [{"Key": "Environment", "Value": "Production"}]},
        {"StackName": "shop", "Tags": [{"Key": "stage", "Value": "prod"}]},
    ],
)
def test_account_that_serves_production_is_refused(stack: dict[str, Any]) -> None:
    account = Account({"cloudformation.describe_stacks": {"Stacks": [{"StackName": "other"}, stack]}})

    with pytest.raises(Refused, match=stack["StackName"]):
        refuse_production(account, ACCOUNT, ACCOUNT)


def test_region_of_another_partition_is_refused(account: Account) -> None:
    account.region = "cn-north-1"

    with pytest.raises(Refused, match="partition"):
        refuse_production(account, ACCOUNT, ACCOUNT)


def test_sandbox_account_is_not_refused() -> None:
    stack = {"StackName": "fraud-detection", "Tags": [{"Key": "stage", "Value": "dev"}]}

    refuse_production(Account({"cloudformation.describe_stacks": {"Stacks": [stack]}}), ACCOUNT, ACCOUNT)


# --- Runs -------------------------------------------------------------------------------------------------------------


def test_run_saves_what_it_found_and_leaves_nothing(account: Account, ledger: Ledger, tmp_path: Path) -> None:
    is_clean, output = asked(account, ledger, tmp_path, [ALARM])

    document = json.loads((tmp_path / "verify-aws.json").read_text())
    verdicts = {each["key"]: each["verdict"] for each in document["points"]}
    assert is_clean and account.standing == set()
    assert verdicts.pop("alarm-period") == "confirmed" and set(verdicts.values()) == {"not run"}
    assert ACCOUNT not in (tmp_path / "verify-aws.json").read_text() + (tmp_path / "verify-aws.md").read_text()
    assert "Nothing is left." in output


def test_run_that_is_interrupted_cleans_up_before_it_ends(account: Account, ledger: Ledger, tmp_path: Path) -> None:
    account.dies_at, account.dies_after = 0, True

    with pytest.raises(Interrupted):
        asked(account, ledger, tmp_path, [ALARM])
    assert account.standing == set() == set(ledger.standing())


def test_run_that_leaves_something_says_what(account: Account, ledger: Ledger, tmp_path: Path) -> None:
    account.script["cloudwatch.delete_alarms"] = refusal("AccessDenied")

    is_clean, output = asked(account, ledger, tmp_path, [ALARM])

    assert not is_clean
    assert "still stands alarm fraud-verify-" in output


# --- The page ---------------------------------------------------------------------------------------------------------


def test_page_has_the_table_of_points_as_they_are() -> None:
    text = PAGE.read_text(encoding="utf-8")

    published = text.partition(f"{report.BEGIN}\n")[2].partition(f"\n{report.END}")[0]
    assert _without_status(published) == _without_status(invoke("--table")[1])


def test_page_states_price_and_time_of_a_whole_run() -> None:
    whole = plan.estimate(ALL, PRICES)

    assert f"{whole.usd:.2f} USD and {whole.minutes / 60:.1f} hours" in PAGE.read_text(encoding="utf-8")


def test_table_shows_what_was_seen_without_breaking_its_row() -> None:
    row = report.table([ALARM], {"alarm-period": Answer(Verdict.DIFFERS, "a | b <account>")}, {"alarm-period": 0.0})

    assert row.endswith("| **differs**: a \\| b &lt;account> |")


def _without_status(table: str) -> list[str]:
    return [row.rpartition(" | ")[0] for row in table.splitlines()]
