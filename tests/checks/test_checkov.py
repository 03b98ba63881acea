"""The check of checkov's findings lets pass what is skipped for a reason, and nothing else."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks.checkov import SKIPS, CannotTell, Finding, complaints, findings, read_skips, report, wrong

TEMPLATE = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}, "Bucket": {"Type": "AWS::S3::Bucket"}}}
REASON = "It is encrypted, with another key."
SKIP = f"[{{check: CKV_27, resources: [Queue], reason: '{REASON}'}}]"


def said(*failed: str, **results: Any) -> dict[str, Any]:
    """A report that a queue failed checks."""
    return {
        "results": {
            "passed_checks": [{"check_id": "CKV_1", "resource": "AWS::S3::Bucket.Bucket"}],
            "failed_checks": [
                {"check_id": each, "resource": "AWS::SQS::Queue.Queue", "check_name": f"Ensure {each}"}
                for each in failed
            ],
            "skipped_checks": [],
            "parsing_errors": [],
            **results,
        },
        "summary": {"resource_count": 2},
    }


def judged(skips: str, *failed: str) -> list[str]:
    return complaints(findings(said(*failed), TEMPLATE), read_skips(skips))


def stand_in(directory: Path, script: str) -> Path:
    """A command in checkov's place."""
    command = directory / "checkov"
    command.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    return command


def test_finding_with_a_skip_passes() -> None:
    assert judged(SKIP, "CKV_27") == []


def test_finding_without_a_skip_is_a_complaint_by_name() -> None:
    assert judged("[]", "CKV_27") == ["CKV_27 Queue: Ensure CKV_27"]


def test_skip_of_another_resource_skips_nothing() -> None:
    assert judged(SKIP.replace("Queue", "Bucket"), "CKV_27") == [
        "CKV_27 Queue: Ensure CKV_27",
        "CKV_27 Bucket: skipped, but not found",
    ]


def test_skip_that_nothing_needs_is_a_complaint() -> None:
    assert judged(SKIP) == ["CKV_27 Queue: skipped, but not found"]


def test_skip_that_stands_twice_is_a_complaint() -> None:
    assert judged(SKIP.replace("[Queue]", "[Queue, Queue]"), "CKV_27") == ["CKV_27 Queue: skipped twice"]


@pytest.mark.parametrize("reason", ["''", "' '", "Accepted.", "not needed here right now", "~"])
def test_skip_without_a_sentence_of_a_reason_is_refused(reason: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="reason"):
        read_skips(SKIP.replace(f"'{REASON}'", reason))


def test_skip_without_the_field_or_with_another_is_refused() -> None:
    for document in (SKIP.replace("reason:", "because:"), SKIP.replace("reason:", "until: 2030, reason:")):
        with pytest.raises(msgspec.ValidationError):
            read_skips(document)


@pytest.mark.parametrize("results", [{"passed_checks": []}, {"parsing_errors": ["template.json"]}])
def test_report_of_a_template_that_was_not_read_tells_nothing(results: dict[str, Any]) -> None:
    with pytest.raises(CannotTell, match="not read all"):
        findings(said(**results), TEMPLATE)


def test_report_of_fewer_resources_than_the_template_has_tells_nothing() -> None:
    with pytest.raises(CannotTell, match="not read all"):
        findings(said(), {"Resources": {**TEMPLATE["Resources"], "Topic": {}}})


def test_skip_in_the_template_itself_is_refused() -> None:
    hidden = {"skipped_checks": [{"check_id": "CKV_27", "resource": "AWS::SQS::Queue.Queue"}]}
    with pytest.raises(CannotTell, match=r"checkov\.yaml, not in the template: AWS::SQS::Queue\.Queue"):
        findings(said(**hidden), TEMPLATE)


def test_checkov_that_ends_in_an_error_tells_nothing(tmp_path: Path) -> None:
    with pytest.raises(CannotTell, match="no such framework"):
        report(stand_in(tmp_path, "echo no such framework >&2; exit 2"), TEMPLATE)


def test_checkov_sees_nothing_but_the_template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CKV_SKIP_CHECK", "CKV_27")
    command = stand_in(tmp_path, """printf '{"files": "%s", "skip": "%s"}' "$(ls -A)" "$CKV_SKIP_CHECK"; exit 1""")

    assert report(command, TEMPLATE) == {"files": "template.json", "skip": ""}


def test_every_fault_is_said_in_a_line(tmp_path: Path) -> None:
    document = msgspec.json.encode(said("CKV_27")).decode()
    command = stand_in(tmp_path, f"cat <<'REPORT'\n{document}\nREPORT\nexit 1")

    assert wrong(command, TEMPLATE, SKIP, [{}]) == []
    assert wrong(command, TEMPLATE, "[]", [{}]) == ["CKV_27 Queue: Ensure CKV_27"]
    assert "reason" in wrong(command, TEMPLATE, SKIP.replace(REASON, ""), [{}])[0]
    assert wrong(stand_in(tmp_path, "echo broken; exit 2"), TEMPLATE, SKIP, [{}]) == ["broken\n"]


def test_skips_of_this_template_are_read_and_stand_once() -> None:
    found = [Finding(each.check, resource) for each in read_skips(SKIPS.read_text()) for resource in each.resources]

    assert found
    assert len(found) == len(set(found))
