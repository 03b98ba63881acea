"""`python -m verification`: says what it would do; with --yes-spend does it; with --clean-up removes what is left."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from verification import plan, report, screen
from verification.account import Aws, BotoAws
from verification.errors import Refused, VerificationError
from verification.guards import account_of, refuse_production
from verification.ledger import Ledger
from verification.points import ALL
from verification.probe import Answer, Probe, inconclusive
from verification.removal import clean_up, elsewhere
from verification.run import answers
from verification.sandbox import Sandbox

LEDGER = Path(".fraud") / "verify-aws.jsonl"
RESULTS = Path("build")

Only = Annotated[str, typer.Option("--only", help="Keys of probes, with commas between.")]
Budget = Annotated[float, typer.Option("--budget-usd", min=0, help="No probe begins that may lead beyond.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing: the default.")]
Spend = Annotated[bool, typer.Option("--yes-spend", help="Create what has a price in an account.")]
Table = Annotated[bool, typer.Option("--table", help="Print the table of docs/verify-aws.md as before any run.")]
CleanUp = Annotated[bool, typer.Option("--clean-up", help="Remove what an earlier run left.")]
Account = Annotated[str, typer.Option("--account", help="Id of the account that is meant.")]
Region = Annotated[str, typer.Option("--region", help="Region that is meant.")]
Profile = Annotated[str | None, typer.Option("--profile", help="AWS profile.")]
LedgerPath = Annotated[Path, typer.Option("--ledger", help="Where what is created is written down.")]


def verify(
    only: Only = "",
    budget_usd: Budget = 5.0,
    dry_run: DryRun = False,
    yes_spend: Spend = False,
    clean: CleanUp = False,
    table: Table = False,
    account: Account = "",
    region: Region = "",
    profile: Profile = None,
    ledger: LedgerPath = LEDGER,
) -> None:
    """Ask an account what this project assumes of AWS; without --yes-spend only say how."""
    out = Console()
    try:
        probes, left_out = _probes(only, budget_usd)
        if table:
            print(report.table(ALL, {}, _alone()))
            return
        if dry_run or not (yes_spend or clean):
            screen.show_plan(out, probes, left_out, budget_usd)
            return
        aws = _aws(account, region, profile)
        is_clean = (
            remove(out, aws, account, Ledger(ledger), time.sleep)
            if clean
            else ask(out, aws, account, probes, left_out, Ledger(ledger))
        )
    except VerificationError as error:
        out.print(f"[red]{error}[/]", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from error
    raise typer.Exit(0 if is_clean else 1)


def _probes(only: str, budget: float) -> tuple[list[Probe], list[Probe]]:
    keys = [key.strip() for key in only.split(",") if key.strip()]
    return plan.within(plan.chosen(ALL, keys), budget, plan.load_prices())


def _aws(account: str, region: str, profile: str | None) -> Aws:
    """Clients, once account and region are named. Raises: Refused."""
    import boto3

    if not account or not region:
        raise Refused("name the account and the region that are meant: --account ID --region REGION")
    aws = BotoAws(boto3.Session(profile_name=profile, region_name=region))
    refuse_production(aws, account_of(aws), account)
    return aws


def ask(
    out: Console,
    aws: Aws,
    account: str,
    probes: list[Probe],
    left_out: list[Probe],
    ledger: Ledger,
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.time,
    results: Path = RESULTS,
) -> bool:
    """Run probes, save what they find after each, and clean up whatever happens; whether nothing is left."""
    out.print(f"Account [bold]{account}[/], region [bold]{aws.region}[/], ledger {ledger.path}", highlight=False)
    found = {each.key: inconclusive("not begun: the estimate would exceed the budget") for each in left_out}
    try:
        with screen.progress(out) as bar:
            task = bar.add_task("Asking", total=len(probes), note="")
            sandbox = Sandbox(aws, account, ledger, sleep, clock, note=lambda text: bar.update(task, note=text))
            for probe, answer in answers(probes, sandbox, lambda probe: bar.update(task, description=probe.key)):
                found[probe.key] = answer
                screen.show_answer(bar.console, probe, answer)
                _save(results, found, aws.region, clock())
                bar.advance(task)
    finally:
        is_clean = remove(out, aws, account, ledger, sleep)
    out.print(f"See {results / 'verify-aws.json'} and {results / 'verify-aws.md'}.", highlight=False)
    return is_clean


def remove(out: Console, aws: Aws, account: str, ledger: Ledger, sleep: Callable[[float], None]) -> bool:
    """Remove all that stands of the ledger's, and see that it is gone; whether nothing is left."""
    with screen.progress(out) as bar:
        task = bar.add_task("Cleaning up", total=len(ledger.standing()), note="")
        left = clean_up(aws, ledger, account, sleep, lambda text: bar.update(task, note=text))
        bar.update(task, completed=bar.tasks[0].total if not left else 0)
    others = elsewhere(ledger, account, aws.region)
    screen.show_left(out, [*left, *others])
    if not left and not others:
        out.print("[green]Nothing is left.[/]")
    return not left


def _alone() -> dict[str, float]:
    """USD at most for each point by itself, by its key."""
    prices = plan.load_prices()
    return {each.key: plan.estimate([each], prices).usd for each in ALL}


def _save(results: Path, found: dict[str, Answer], region: str, now: float) -> None:
    at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    report.save(results, report.document(ALL, found, region=region, at=at), report.table(ALL, found, _alone()))


run = partial(typer.run, verify)
