"""Decisions as items, where the code that reads them is another than the code that wrote them."""

from fraud import features
from fraud.aws import decision_items
from tests.fakes import samples


def test_decode_of_a_decision_names_its_features() -> None:
    found = decision_items.decode(decision_items.encode(samples.decision(), 365), "1").document["features"]
    assert tuple(found) == features.NAMES


def test_decode_of_another_table_of_features_leaves_them_out() -> None:
    # The archive's table has a map there; a list among them could fail every query.
    item = decision_items.encode(samples.decision(), 365) | {"contract": {"S": "0" * 16}}
    assert decision_items.decode(item, "1").document["features"] is None


def test_encode_of_a_decision_that_was_left_to_chance_carries_its_probability() -> None:
    item = decision_items.encode(samples.decision(propensity=0.02), 365)
    assert item["propensity"] == {"N": "0.02"}
    assert decision_items.decode(item, "1").document["propensity"] == 0.02


def test_encode_of_any_other_decision_spends_nothing_on_it_and_decode_reads_one() -> None:
    # So are items that were written before there was any chance.
    item = decision_items.encode(samples.decision(), 365)
    assert "propensity" not in item
    document = decision_items.decode(item, "1").document
    assert document["propensity"] == 1.0 and isinstance(document["propensity"], float)
