"""The package document and the artefact: what cannot be served is named before anything is created for it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import drift, features, model_package
from fraud.errors import InvalidPackage
from tests.deployment import packages

NAMES = list(packages.NAMES)
BASELINE = packages.document()["baseline"]
SCORES = {"edges": [0.1, 0.5], "counts": [5, 3, 1], "missing": 0, "zeros": 2, "design_effect": 1.5, "is_steady": True}


def test_parse_document_becomes_what_the_routing_item_says() -> None:
    served = model_package.parse(packages.text()).served_at("fraud-a", packages.ARN)

    assert served.contract == packages.NAMES
    assert served.contract_hash == features.contract_hash(packages.NAMES)
    assert (served.review_threshold, served.block_threshold) == (0.6, 0.9)


def test_parse_unknown_extra_parts_are_ignored() -> None:
    assert model_package.parse(packages.text(segments=[1])) == model_package.parse(packages.text())


def test_parse_older_document_has_defaults_for_what_it_does_not_say() -> None:
    document = model_package.parse(packages.text())

    assert document.scores is None
    assert {(each.zeros, each.design_effect, each.is_steady) for each in document.baseline.values()} == {
        (None, drift.DEFAULT_DESIGN_EFFECT, True)
    }


def test_parse_document_tells_how_scores_vary() -> None:
    scores = model_package.parse(packages.text(scores=SCORES)).scores

    assert scores == model_package.Baseline((0.1, 0.5), (5, 3, 1), 0, zeros=2, design_effect=1.5, is_steady=True)


def contract(*names: str) -> dict[str, Any]:
    return {"names": names, "hash": features.contract_hash(names)}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"model_sha256": None}, "is not a package document: .*model_sha256"),
        ({"schema_version": 2}, "is not a package document: .*schema_version"),
        ({"contract": None}, "is not a package document: .*contract"),
        ({"contract": {"names": NAMES}}, "missing required field `hash`"),
        ({"contract": contract(*NAMES, "card_colour")}, "does not compute: card_colour"),
        ({"contract": contract()}, "is empty or names a feature twice"),
        ({"contract": contract(*NAMES, NAMES[0])}, "is empty or names a feature twice"),
        ({"contract": contract(*NAMES) | {"names": NAMES[::-1]}}, "but this code computes"),
        ({"thresholds": {"review": 0.0, "block": 0.9}}, "not 0 < review <= block <= 1"),
        ({"thresholds": {"review": 0.9, "block": 0.6}}, "not 0 < review <= block <= 1"),
        ({"thresholds": {"review": 0.9, "block": 1.1}}, "not 0 < review <= block <= 1"),
        ({"thresholds": {"review": "high", "block": 1}}, "Expected `float`"),
        ({"score_quantiles": [0.1, 0.2]}, "there are 2 score quantiles, not 101"),
        ({"score_quantiles": [0.5] * 100 + [0.4]}, "do not ascend"),
        ({"baseline": {NAMES[0]: BASELINE[NAMES[0]]}}, "baseline is not of the contract's features"),
        (
            {"baseline": BASELINE | {NAMES[1]: SCORES | {"counts": [1, 2]}}},
            f"baseline of {NAMES[1]} has 2 counts for 2",
        ),
        ({"scores": SCORES | {"counts": []}}, "baseline of the scores has 0 counts for 2 edges"),
        ({"scores": SCORES | {"edges": [0.5, 0.5]}}, "edges of the baseline of the scores do not ascend"),
        ({"scores": SCORES | {"edges": [0.5, 0.1]}}, "edges of the baseline of the scores do not ascend"),
        ({"scores": SCORES | {"counts": [5, -1, 1]}}, "baseline of the scores counts fewer than 0 rows"),
        ({"scores": SCORES | {"missing": -1}}, "baseline of the scores counts fewer than 0 rows"),
        ({"scores": SCORES | {"zeros": -1}}, "baseline of the scores counts fewer than 0 rows"),
        ({"scores": SCORES | {"zeros": 10}}, "baseline of the scores counts more zeros than values"),
        ({"scores": SCORES | {"design_effect": 0.99}}, "design effect of the baseline of the scores is 0.99, below 1"),
        ({"scores": SCORES | {"is_steady": "yes"}}, "Expected `bool`"),
        ({"smoke_vectors": []}, "there are no smoke vectors"),
        ({"smoke_vectors": [{"features": [1.0], "score": 0.1}]}, "has not 3 features"),
        ({"smoke_vectors": [{"features": [1.0, 2.0, 3.0], "score": 1.1}]}, "outside 0 to 1"),
        ({"smoke_vectors": [{"features": [1.0, 2.0, "x"], "score": 0.1}]}, "is not a package document"),
    ],
)
def test_parse_document_that_cannot_be_served_is_refused(parts: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidPackage, match=words):
        model_package.parse(packages.text(**parts))


@pytest.mark.parametrize(
    "parts", [{"thresholds": {"review": 1.0, "block": 1.0}}, {"thresholds": {"review": 1e-9, "block": 1e-9}}]
)
def test_parse_thresholds_at_their_limits_are_accepted(parts: dict[str, Any]) -> None:
    model_package.parse(packages.text(**parts))


@given(st.binary(max_size=200))
def test_parse_any_bytes_are_refused_as_a_package(content: bytes) -> None:
    with pytest.raises(InvalidPackage):
        model_package.parse(content)


def test_parse_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(InvalidPackage):
        model_package.parse(packages.text().replace(b"rows", b"r\xffws"))


@pytest.mark.parametrize("content", [b'{"segments": ' + b"[" * 100_000, b'{"segments": NaN}'])
def test_parse_hostile_text_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidPackage):
        model_package.parse(content)


def test_document_in_artefact_is_what_was_packed() -> None:
    assert model_package.document_in(packages.archive()) == packages.text()


@pytest.mark.parametrize("missing", ["model.ubj", "package.json", "code/inference.py"])
def test_document_in_artefact_without_a_part_is_refused(missing: str) -> None:
    with pytest.raises(InvalidPackage, match=f"lacks {missing}"):
        model_package.document_in(packages.archive({missing: b""}))


@given(st.integers(0, len(packages.archive()) - 1))
def test_document_in_truncated_artefact_is_refused(length: int) -> None:
    with pytest.raises(InvalidPackage):
        model_package.document_in(packages.archive()[:length])


@given(st.integers(10, len(packages.archive()) - 1), st.integers(1, 255))
def test_document_in_artefact_with_any_byte_changed_is_refused(position: int, change: int) -> None:
    damaged = bytearray(packages.archive())
    damaged[position] ^= change

    with pytest.raises(InvalidPackage):
        model_package.document_in(bytes(damaged))


def test_document_in_artefact_with_another_model_than_described_is_refused() -> None:
    with pytest.raises(InvalidPackage, match=r"model\.ubj is not the one that package\.json describes"):
        model_package.document_in(packages.archive({"model.ubj": b"other trees"}))


def test_document_in_artefact_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_package, "LARGEST_UNPACKED", 1000)

    with pytest.raises(InvalidPackage, match="unpacks to more than 1000 bytes"):
        model_package.document_in(packages.archive())


def test_check_artefact_as_recorded_passes() -> None:
    artefact = packages.archive()

    model_package.check_artefact(artefact, model_package.digest(artefact), len(artefact))
    model_package.check_artefact(artefact, None, None)


def test_check_artefact_other_content_of_the_same_size_is_refused() -> None:
    artefact = packages.archive()

    with pytest.raises(InvalidPackage, match="other SHA-256"):
        model_package.check_artefact(artefact[::-1], model_package.digest(artefact), len(artefact))
