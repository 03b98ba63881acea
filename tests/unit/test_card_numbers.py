"""Card numbers are found wherever they stand, and nothing else is touched."""

import hashlib
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import card_numbers
from fraud.card_numbers import MASK

TEST_NUMBERS = {
    "visa": "4111111111111111",
    "visa 13": "4222222222222",
    "visa 19": "4000000000000000006",
    "mastercard": "5555555555554444",
    "mastercard 2": "2223003122003222",
    "american express": "378282246310005",
    "diners club": "30569309025904",
    "jcb": "3530111333300000",
    "discover": "6011111111111117",
    "unionpay": "6200000000000005",
    "maestro": "6759649826438453",
}


def luhn(digits: str) -> str:
    """The digits with their check digit."""
    total = sum(sum(divmod(int(each) * (2 - place % 2), 10)) for place, each in enumerate(reversed(digits)))
    return f"{digits}{-total % 10}"


def numbers() -> st.SearchStrategy[str]:
    """Visa and Mastercard numbers of sixteen digits."""
    return st.builds(
        lambda prefix, rest: luhn((prefix + rest)[:15]),
        st.sampled_from(["4", "51", "55", "2221", "2720"]),
        st.text("0123456789", min_size=14, max_size=14),
    )


@pytest.mark.parametrize("number", TEST_NUMBERS.values(), ids=TEST_NUMBERS)
def test_mask_published_test_number_is_hidden(number: str) -> None:
    assert card_numbers.mask(f"pan={number};") == f"pan={MASK};"
    assert card_numbers.contains(number)


@given(
    number=numbers(),
    separator=st.sampled_from(["", " ", "-"]),
    before=st.text('abc{}":,/\n. 0123456789', max_size=20),
    after=st.text('abc{}":,/\n. 0123456789', max_size=20),
)
def test_mask_number_between_other_text_is_always_hidden(number: str, separator: str, before: str, after: str) -> None:
    written = separator.join(number[place : place + 4] for place in range(0, 16, 4))
    masked = card_numbers.mask(f"{before.rstrip('0123456789')}{written}{after.lstrip('0123456789')}")
    assert number not in masked.replace(" ", "").replace("-", "")
    assert not card_numbers.contains(masked)


@pytest.mark.parametrize(
    "text",
    [
        "2 4111111111111111",
        "exp 12/25 4111 1111 1111 1111",
        "2025-06-15 4111-1111-1111-1111",
        "4111111111111111 123",
        "4111111111111111 4111111111111111",
    ],
)
def test_mask_number_beside_other_digits_is_hidden(text: str) -> None:
    assert "1111" not in card_numbers.mask(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4111111111111112",  # The check digit is wrong.
        "1234567890123452",  # No issuer's range.
        "411111111111",
        "94111111111111111",  # Part of a longer number.
        "2025-06-15T12:30:00.000Z",
        "1750000000000",
        "00000000-0000-4000-8000-000000000000",
    ],
)
def test_mask_other_text_stays_as_it_is(text: str) -> None:
    assert card_numbers.mask(text) == text
    assert not card_numbers.contains(text)


@given(st.text())
def test_mask_any_text_leaves_no_card_number_and_is_idempotent(text: str) -> None:
    once = card_numbers.mask(text)
    assert not card_numbers.contains(once)
    assert card_numbers.mask(once) == once


def test_hashes_and_uuids_are_not_taken_for_card_numbers() -> None:
    tokens = [hashlib.sha256(str(number).encode()).hexdigest()[:32] for number in range(5_000)]
    identifiers = [str(uuid.UUID(hashlib.md5(str(number).encode()).hexdigest())) for number in range(5_000)]
    assert [each for each in tokens + identifiers if card_numbers.contains(each)] == []


def test_a_card_number_beside_a_hash_still_counts() -> None:
    assert card_numbers.mask(f"{'ab12' * 8} 4111111111111111") == f"{'ab12' * 8} [PAN]"
    assert card_numbers.contains("card4111111111111111")


@pytest.mark.parametrize("gap", [" ", "-", ".", "_", ":", "/", "--", " -"])
def test_a_card_number_in_groups_counts_whatever_stands_between(gap: str) -> None:
    assert card_numbers.contains(gap.join(["4111", "1111", "1111", "1111"]))
    assert card_numbers.contains(gap.join(["3782", "822463", "10005"]))


@pytest.mark.parametrize("identifier", ["5123:20261123:0007", "4021-20261123-0003"])
def test_an_identifier_joined_from_other_groups_does_not_count(identifier: str) -> None:
    together = "".join(filter(str.isdigit, identifier))
    assert card_numbers.contains(together)
    assert not card_numbers.contains(identifier)
