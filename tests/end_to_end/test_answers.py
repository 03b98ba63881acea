"""From a signed request to subscriber, on the real template: a decision that was answered is one like any other."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.end_to_end.spine import Spine
from tests.fakes import samples
from tests.local.conftest import eventually

PATIENCE = 30.0


def test_answers_stand_whichever_way_a_transaction_comes_again(spine: Spine, tmp_path: Path) -> None:
    spine.subscribe()
    events = [samples.event(f"t{number}", at=datetime.now(UTC).timestamp()) for number in range(30)]
    file = tmp_path / "payments.jsonl"
    file.write_text("\n".join(map(json.dumps, events)))
    answers: Any = spine.command("score", str(file))
    assert [(each["status"], each["transaction_id"]) for each in answers] == [
        (200, each["transaction_id"]) for each in events
    ]
    spine.put_events([*events, samples.event("t30", at=datetime.now(UTC).timestamp())])
    eventually(lambda: spine.projected() == 31, PATIENCE)
    announced: set[str] = set()

    def all_announced() -> bool:
        announced.update(event["detail"]["transaction_id"] for event in spine.announced())
        return len(announced) == 31

    eventually(all_announced, PATIENCE)
    assert spine.command("score", str(file)) == answers
    stored = spine.decisions()
    assert {name: item["action"]["S"] for name, item in stored.items() if name != "t30"} == {
        each["transaction_id"]: each["action"] for each in answers
    }
    assert spine.counted()["transactions"] == 31
