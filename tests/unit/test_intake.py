"""A batch sorted out: accepted, again, rejected."""

from fraud import intake
from tests.fakes.samples import payload, record


def test_admit_every_kind_of_record_finds_its_place() -> None:
    records = [record(1, payload()), record(2, b"{"), record(3, payload()), record(4, payload(amount_minor=2))]
    admission = intake.admit(records)
    assert [each.sequence_number for each in admission.accepted] == ["00001"]
    assert [each.sequence_number for each in admission.again] == ["00003", "00004"]
    assert [(each.record_id, each.reason, each.payload) for each in admission.rejected] == [("00002", "not_json", b"{")]


def test_admit_empty_batch_is_empty() -> None:
    admission = intake.admit([])
    assert (admission.accepted, admission.again, admission.rejected) == ([], [], [])


def test_conflict_keeps_the_record_as_it_came() -> None:
    rejected = intake.conflict(record(1, payload(), arrived_at=5.5))
    assert (rejected.source, rejected.reason, rejected.arrived_at) == ("transactions", "id_reused", 5.5)
    assert rejected.payload == payload()
