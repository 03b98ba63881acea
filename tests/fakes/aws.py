"""The tables and the bucket on moto, and what is in them."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import boto3

from fraud import windows
from fraud.aws import decision_items, entity_items, label_items, routing_items
from fraud.aws.batch_get import BatchGet
from fraud.aws.decision_log import DynamoDecisionLog
from fraud.aws.label_store import DynamoLabelStore
from fraud.aws.projection_store import DynamoProjectionStore
from fraud.aws.quarantine import S3Quarantine
from fraud.aws.state_reader import DynamoStateReader, DynamoTerminalReader
from fraud.aws.verdict_reader import DynamoVerdictReader
from fraud.label import Label
from fraud.ports import Recorded
from fraud.routing import Routing
from tests.fakes.faults import Clock, Inline
from tests.fakes.memory import DAY, Memory, MemoryArchive, MemoryEventBus
from tests.fakes.world import Ports, Seen

ENTITIES, DECISIONS, ROLLOUTS, BUCKET = "entities", "decisions", "rollouts", "quarantine"
RETENTION_DAYS = 365
KEYS = {ENTITIES: ("entity",), DECISIONS: ("transaction_id",), ROLLOUTS: ("pk", "sk")}


@cache
def client(service: str) -> Any:
    """moto answers for every client made after its import; making one takes a tenth of a second."""
    return boto3.client(service)


def create(dynamodb: Any, s3: Any) -> None:
    """Tables with the keys of the template, and the bucket."""
    for table, keys in KEYS.items():
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[
                {"AttributeName": key, "KeyType": kind} for key, kind in zip(keys, ("HASH", "RANGE"), strict=False)
            ],
        )
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})


class AwsStores:
    """Adapters over moto, and what they wrote. The archive and the bus stay in memory."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.dynamodb = client("dynamodb")
        self.s3 = client("s3")
        self.memory = Memory(clock)
        create(self.dynamodb, self.s3)

    def ports(self) -> Ports:
        reads = BatchGet(self.dynamodb, Inline(), lambda attempt: None)
        entity = (self.dynamodb, ENTITIES, DECISIONS)
        return Ports(
            state=DynamoStateReader(reads, ENTITIES, ROLLOUTS, self.clock),
            decisions=DynamoDecisionLog(*entity, RETENTION_DAYS, RETENTION_DAYS, self.clock),
            quarantine=S3Quarantine(self.s3, BUCKET),
            terminals=DynamoTerminalReader(reads, ENTITIES, self.clock),
            projections=DynamoProjectionStore(*entity, ROLLOUTS, RETENTION_DAYS, self.clock),
            labels=DynamoLabelStore(self.dynamodb, reads, ENTITIES, DECISIONS, RETENTION_DAYS, self.clock),
            archive=MemoryArchive(self.memory),
            bus=MemoryEventBus(self.memory),
            verdicts=DynamoVerdictReader(reads, DECISIONS),
        )

    def set_routing(self, routing: Routing) -> None:
        self.dynamodb.put_item(TableName=ROLLOUTS, Item=routing_items.encode(routing))

    def decided(self) -> dict[str, Seen]:
        return {item["transaction_id"]["S"]: _seen(item) for item in self._scan(DECISIONS)}

    def entity(self, key: str) -> windows.EntityState | None:
        item = self.dynamodb.get_item(TableName=ENTITIES, Key={"entity": {"S": key}}).get("Item")
        return entity_items.decode(item, self.clock()).state if item else None

    def quarantined(self) -> dict[tuple[str, str], str]:
        lines = [json.loads(line) for body in self.quarantine_objects().values() for line in body.splitlines()]
        return {(line["source"], line["record_id"]): line["reason"] for line in lines}

    def quarantine_objects(self) -> dict[str, bytes]:
        found = self.s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {each["Key"]: self.s3.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read() for each in found}

    def counters(self) -> dict[tuple[int, str, int], dict[str, int]]:
        items = [item for item in self._scan(ROLLOUTS) if item["pk"]["S"].startswith("counters#")]
        return {_counter_key(item): _amounts(item) for item in items}

    def early(self) -> dict[str, Label]:
        waiting = {item["entity"]["S"]: label_items.decode(item) for item in self._scan(ENTITIES)}
        return {key.partition("#")[2]: label for key, label in waiting.items() if label is not None}

    def stream(self) -> list[Recorded]:
        return [decision_items.decode(item, f"{number:05d}") for number, item in enumerate(self._scan(DECISIONS))]

    def told(self) -> list[str]:
        return self.memory.told

    def archived(self) -> list[Any]:
        return self.memory.archived

    def expire_later(self) -> None:
        """Time passes until everything written has expired; nothing is deleted yet."""
        self.clock.pass_by(RETENTION_DAYS * DAY)

    def _scan(self, table: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.dynamodb.scan(TableName=table)["Items"]
        return items


def _seen(item: dict[str, Any]) -> Seen:
    return Seen(
        payload_hash=item["payload_hash"]["S"],
        action=item["action"]["S"],
        slot=item["slot"]["S"],
        degraded=item["degraded"]["BOOL"],
        amount_minor=int(item["amount_minor"]["N"]),
        card_token=item["card_token"]["S"],
        terminal_id=item["terminal_id"]["S"],
        epoch=int(item["epoch"]["N"]),
        projected="projected" in item,
        label=label_items.decode(item),
    )


def _counter_key(item: dict[str, Any]) -> tuple[int, str, int]:
    slot, bucket = item["sk"]["S"].split("#")
    return int(item["pk"]["S"].partition("#")[2]), slot, int(bucket)


def _amounts(item: dict[str, Any]) -> dict[str, int]:
    return {name: int(value["N"]) for name, value in item.items() if name not in ("pk", "sk")}
