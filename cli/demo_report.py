"""Shows what a demonstration came to."""

from cli import console
from cli.errors import CommandError
from cli.explain import money
from cli.summary import Fraud, Percentiles, Summary

REVIEW_SHARE = 0.01
"""Share of transactions that people can review; the model's review threshold is chosen for it too."""
CURRENCY = "EUR"


def tell(summary: Summary, seconds: float, as_json: bool) -> None:
    """To people or programs. Raises: CommandError when something was lost."""
    if as_json:
        console.write_json({**summary.as_json(), "seconds": round(seconds, 1)})
    else:
        show(summary, seconds)
    if summary.lost:
        raise CommandError(f"{summary.lost:,} transactions are neither decided nor in quarantine: that is a bug.")


def show(summary: Summary, seconds: float) -> None:
    """A table for each question one would ask."""
    out = console.stdout()
    out.print(console.table_of("Nothing lost" if not summary.lost else "LOST", completeness(summary)))
    out.print(console.table_of("Decisions", decisions(summary)))
    out.print(console.table_of("Fraud", fraud_words(summary.fraud) | review_words(summary)))
    out.print(console.table_of("Speed", speed(summary) | {"the whole demonstration": f"{seconds:,.0f} s"}))


def completeness(summary: Summary) -> dict[str, object]:
    """Sent = decided + quarantined."""
    return {
        "sent": f"{summary.sent:,}",
        "decided": f"{summary.decided:,}",
        "quarantined": f"{summary.quarantined:,}",
        "lost": f"{summary.lost:,}",
    }


def decisions(summary: Summary) -> dict[str, object]:
    """By action."""
    shares = {name: f"{count:,}  ({count / max(summary.decided, 1):.2%})" for name, count in summary.actions.items()}
    return {**shares, "degraded": f"{summary.degraded:,}"}


def fraud_words(fraud: Fraud) -> dict[str, object]:
    """Caught and saved."""
    return {
        "frauds": f"{fraud.count:,}, worth {money(fraud.value, CURRENCY)}",
        "caught": f"{fraud.caught:,}  ({fraud.blocked:,} blocked, {fraud.reviewed:,} sent to review)",
        "value saved": f"{money(fraud.value_saved, CURRENCY)}  ({fraud.value_saved / max(fraud.value, 1):.0%})",
        "genuine transactions blocked": f"{fraud.genuine_blocked:,}",
    }


def review_words(summary: Summary) -> dict[str, object]:
    """Worth of a reviewer's time."""
    name = f"precision of the {summary.capacity:,} highest scores"
    precision = summary.precision_at_capacity
    return {name: None if precision is None else f"{precision:.1%}  (people can review {REVIEW_SHARE:.0%})"}


def speed(summary: Summary) -> dict[str, object]:
    """Throughput and latency."""
    return {
        "decided at full speed": f"{summary.per_second:,.0f} a second",
        "from put to decision": _milliseconds(summary.latency),
        "handler alone, a batch": _milliseconds(summary.handler),
    }


def _milliseconds(values: Percentiles | None) -> str | None:
    return None if values is None else f"p50 {values.p50:,.0f} ms, p99 {values.p99:,.0f} ms"
