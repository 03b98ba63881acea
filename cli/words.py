"""Times, numbers and names as people read them."""

from datetime import UTC, datetime

LARGE = 1e12
LATEST = 253_402_300_800
"""The year 10,000, seconds since 1970."""


def plain(text: str) -> str:
    """A text of somebody's without line breaks and control characters, which a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in text)


def person(name: str) -> str:
    """Who it was: of an ARN only the end."""
    return name.split(":", 5)[-1] if name.startswith("arn:") else name


def span(seconds: float) -> str:
    """A duration in the two units a person would use; what is over is 0 s."""
    if not 0 < seconds < LATEST:
        return "0 s" if seconds <= 0 else "–"
    whole = round(seconds)
    for size, unit, smaller, part in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def moment(at: float, now: float) -> str:
    """A time in UTC, with its date unless that is today."""
    if not 0 <= at < LATEST:
        return "–"
    then = datetime.fromtimestamp(at, UTC)
    today = 0 <= now < LATEST and then.date() == datetime.fromtimestamp(now, UTC).date()
    return then.strftime("%H:%M:%S") if today else dated(at)


def dated(at: float) -> str:
    """A time in UTC with its date, down to the minute."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M") if 0 <= at < LATEST else "–"


def ratio(part: int, total: int) -> str:
    """A part as a percentage of the total, if there is any."""
    return percent(part / total) if total else "–"


def percent(value: float) -> str:
    """A share as a percentage, two decimals at most."""
    return f"{round(100 * value, 2):.6g} %"


def number(value: float) -> str:
    """With thousands separators; what is very large or no whole number with four digits."""
    return f"{int(value):,}" if abs(value) < LARGE and value == int(value) else f"{value:,.4g}"
