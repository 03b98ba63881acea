"""Finding and masking payment card numbers (PAN) in text.

A primary account number must never be stored or logged (PCI DSS 3.5, 10.3). Digits count as one when they have the
prefix and length of an issuer's range and their Luhn check digit holds (ISO/IEC 7812-1), written together or in the
groups that cards show, with blanks, hyphens, dots and the like between them. Identifiers joined from other groups of
digits do not count, nor do digits inside a hexadecimal hash or a UUID: one in a thousand hashes passes every check by
chance.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MASK = "[PAN]"

_GAP = "[ ._:/-]{1,2}"
_LONG_RUN = re.compile(rf"(?<![0-9])[2-6](?:(?:{_GAP})?[0-9]){{12}}")
_WRITINGS = (
    *(f"[0-9]{{{digits}}}" for digits in range(13, 20)),
    *(f"[0-9]{{4}}(?:{_GAP}[0-9]{{4}}){{2}}{_GAP}[0-9]{{{digits}}}" for digits in range(1, 5)),
    *(f"[0-9]{{4}}(?:{_GAP}[0-9]{{4}}){{3}}{_GAP}[0-9]{{{digits}}}" for digits in range(1, 4)),
    *(f"[0-9]{{4}}{_GAP}[0-9]{{6}}{_GAP}[0-9]{{{digits}}}" for digits in (4, 5)),
)
"""Digits together, in fours, and as American Express and Diners Club group them."""
# Each a lookahead: digits beside a card number, such as a date or an expiry, cannot hide it by being taken for a part
# of it.
_CANDIDATES = tuple(re.compile(rf"(?<![0-9])(?=({writing})(?![0-9]))") for writing in _WRITINGS)
_HASH = re.compile(
    r"(?<![0-9A-Za-z])(?:(?=[0-9]*[A-Fa-f])[0-9A-Fa-f]{24,}|[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})(?![0-9A-Za-z])"
)
_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})"  # Visa
    r"|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}"  # Mastercard
    r"|3[47]\d{13}"  # American Express
    r"|3(?:0[0-5]|[689]\d)\d{11,16}|35(?:2[89]|[3-8]\d)\d{12}"  # Diners Club, JCB
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12,15}"  # Discover
    r"|62\d{14,17}"  # UnionPay
    r"|(?:5[06-9]|6[37])\d{10,17}"  # Maestro
)


def contains(text: str) -> bool:
    """Whether the text holds a card number."""
    return any(True for _ in _spans(text))


def mask(text: str) -> str:
    """The text with every card number replaced by `MASK`."""
    parts, end = [], 0
    for start, stop in sorted(_spans(text)):
        if start >= end:
            parts += [text[end:start], MASK]
        end = max(end, stop)
    return "".join([*parts, text[end:]])


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Where card numbers stand; they may overlap."""
    if _LONG_RUN.search(text) is None:
        return
    hashes = [match.span() for match in _HASH.finditer(text)]
    for candidate in _CANDIDATES:
        for match in candidate.finditer(text):
            start, stop = match.span(1)
            hashed = any(first <= start and stop <= last for first, last in hashes)
            if not hashed and _is_card_number(match[1]):
                yield start, stop


def _is_card_number(text: str) -> bool:
    digits = re.sub(r"[^0-9]", "", text)
    return _ISSUED.fullmatch(digits) is not None and _passes_luhn(digits)


def _passes_luhn(digits: str) -> bool:
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit)
        if position % 2:
            value = value * 2 - 9 if value > 4 else value * 2
        total += value
    return total % 10 == 0
