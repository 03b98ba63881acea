"""The tables of docs/cost.md.

`python -m benchmarks.cost` prints them, `--write` puts them into the page. All is arithmetic; no account is asked.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.cost_inputs import PRICES, PROFILES, RATES, Case, Counts, Json, Prices, load_counts, load_prices
from benchmarks.cost_terms import TERMS, monthly
from local.children import ROOT

PAGE = ROOT / "docs" / "cost.md"
LEVER_DAYS = 120
LEVER_USE = 0.7
"""Share of provisioned capacity that is used."""


def cases(prices: Prices, counts: Mapping[str, Counts]) -> list[Case]:
    """Every profile at every rate."""
    return [Case(rate, profile, counts[profile], prices) for profile in PROFILES for rate in RATES]


def profile_counts() -> dict[str, Counts]:
    """What the template says under each profile."""
    return {name: load_counts(parameters) for name, parameters in PROFILES.items()}


def tables(each: Sequence[Case]) -> dict[str, str]:
    """Markdown, by the name of its place in the page."""
    return {
        "months": month_table(each),
        "largest": largest_table(each),
        "levers": lever_table(each),
        "counts": count_table({case.profile: case.counts for case in each}),
        "prices": price_table(),
    }


def month_table(each: Sequence[Case]) -> str:
    """The months side by side."""
    months = [monthly(case) for case in each]
    totals = [sum(month.values()) for month in months]
    millions = [total / case.transactions * 1e6 for case, total in zip(each, totals, strict=True)]
    rows = [[name, *(_usd(month[name]) for month in months)] for name in TERMS]
    rows.append(["**a month**", *(f"**{_usd(total)}**" for total in totals)])
    rows.append(["for a million transactions", *map(_usd, millions)])
    rows.append(["without a transaction", *(_usd(sum(monthly(replace(case, rate=0)).values())) for case in each)])
    return _table(["USD", *(f"{case.profile}, {case.rate:,}" for case in each)], rows)


def largest_table(each: Sequence[Case]) -> str:
    """The three largest terms of each case, and their shares."""
    return _table(["transactions a second", "largest", "second", "third"], [_largest(case) for case in each])


def _largest(case: Case) -> list[str]:
    month = monthly(case)
    total = sum(month.values())
    names = sorted(month, key=lambda name: -month[name])[:3]
    return [f"{case.profile}, {case.rate:,}", *(f"{name}, {100 * month[name] / total:.0f} %" for name in names)]


def lever_table(each: Sequence[Case]) -> str:
    """Totals of the same cases, with one thing changed at a time."""
    rows = [[name, *(_usd(sum(monthly(case).values())) for case in changed)] for name, changed in _levers(each)]
    return _table(["USD a month", *(f"{case.profile}, {case.rate:,}" for case in each)], rows)


def _levers(each: Sequence[Case]) -> Iterator[tuple[str, list[Case]]]:
    yield "as it is", list(each)
    yield f"`DecisionRetentionDays={LEVER_DAYS}`", [_kept_shorter(case) for case in each]
    yield f"provisioned capacity, {100 * LEVER_USE:.0f} % used", [_provisioned(case) for case in each]
    yield "both", [_kept_shorter(_provisioned(case)) for case in each]
    yield "`CapturePercentage=0`", [_without_capture(case) for case in each]
    yield "`EnhancedFanOut=ENABLED`", [replace(case, counts=replace(case.counts, fan_out=True)) for case in each]


def _without_capture(case: Case) -> Case:
    return replace(case, counts=replace(case.counts, slot=replace(case.counts.slot, captured=False)))


def _kept_shorter(case: Case) -> Case:
    return replace(case, counts=replace(case.counts, decision_days=LEVER_DAYS))


def _provisioned(case: Case) -> Case:
    """A provisioned unit is good for one unit a second."""
    units = {
        f"dynamodb_{kind}": case.prices[f"dynamodb_provisioned_{kind}"] / 3_600 / LEVER_USE
        for kind in ("write", "read")
    }
    return replace(case, prices={**case.prices, **units})


def count_table(counts: Mapping[str, Counts]) -> str:
    """What was read in the template, profile by profile."""
    columns = [dict(_counted(each)) for each in counts.values()]
    rows = [[name, *(column[name] for column in columns)] for name in columns[0]]
    return _table(["in the template", *counts], rows)


def _counted(counts: Counts) -> Iterator[tuple[str, str]]:
    slot = counts.slot
    serves = f"serverless, {slot.memory:.0f} GiB" if slot.memory else f"{slot.instances} × {slot.instance_type}"
    yield from (
        ("shards", f"{counts.shards}"),
        ("hours that the stream keeps a record", f"{counts.retention_hours}"),
        ("an endpoint", serves),
        ("Lambda functions", f"{counts.functions}"),
        ("stream mappings with metrics", f"{counts.mappings}"),
        ("alarms", f"{counts.alarms}"),
        ("metrics that alarms look at", f"{counts.alarm_metrics}"),
        ("metrics of log lines", f"{counts.filter_metrics}"),
        ("dashboards", f"{counts.dashboards}"),
        ("zones of interface endpoints", f"{counts.endpoint_zones}"),
        ("trails", f"{counts.trails}"),
        ("KMS keys", f"{counts.keys}"),
        ("resources that use the key", f"{counts.encrypted}"),
        ("days that logs are kept", f"{counts.log_days}"),
        ("days that a decision is kept", f"{counts.decision_days:,}"),
        ("days that the archive is kept", f"{counts.archive_days:,}"),
    )
    yield from ((f"runs of `{name}` a month", f"{runs:.1f}") for name, runs in counts.runs.items())
    yield from ((f"states of `{name}`", f"{states}") for name, states in counts.states.items())


def price_table(path: Path = PRICES) -> str:
    """The prices as they were taken down."""
    prices: Mapping[str, Json] = json.loads(path.read_text(encoding="utf-8"))["prices"]
    return _table(["for", "of", "USD"], [[f"{each['per']:,}", each["unit"], _price(each)] for each in prices.values()])


def _price(entry: Json) -> str:
    return f"{entry['usd']:.10f}".rstrip("0").rstrip(".")


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _usd(amount: float) -> str:
    """To the dollar, and to the cent below ten."""
    return f"{amount:,.0f}" if amount >= 9.995 else f"{amount:.2f}"


class NoPlace(Exception):
    """The page has no place for a table."""


def written(page: str, new: Mapping[str, str]) -> str:
    """The page with its tables replaced, each between two comments that name it.

    Raises:
        NoPlace: for one of them.
    """
    for name, table in new.items():
        opening, closing = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, opened, rest = page.partition(opening)
        _, closed, after = rest.partition(closing)
        if not (opened and closed):
            raise NoPlace(name)
        page = f"{before}{opening}{table}\n{closing}{after}"
    return page


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/cost.md")
    new = tables(cases(load_prices(), profile_counts()))
    if parser.parse_args().write:
        PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), new), encoding="utf-8")
    else:
        print(*new.values(), sep="\n\n")


if __name__ == "__main__":
    main()
