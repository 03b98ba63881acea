"""What a side needs on the fake AWS: tables as in the template, the state of its cards and terminals, an endpoint."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from fraud import features
from fraud.aws import entity_items, routing_items
from fraud.routing import Routing, ServedModel
from fraud.windows import EntityState
from local.children import ROOT
from local.template import read

ENDPOINT, BUCKET = "benchmark-a", "benchmark-models"
REVIEW, BLOCK = 0.5, 0.9
WEIGHTS = {"card_amount_zscore_30d": 0.1, "card_count_15m": 0.1}
RETENTION_DAYS = 400
_LOGICAL_IDS = ("EntityTable", "DecisionTable", "RolloutTable")
_ITEMS_A_CALL = 25
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Tables:
    """Names of one side's tables, in the order of the template's logical ids above."""

    entity: str
    decision: str
    rollout: str


@dataclass(frozen=True, slots=True)
class Blueprint:
    """The tables as the template defines them."""

    definitions: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of_template(cls) -> Blueprint:
        resources = read(ROOT / "template.yaml")["Resources"]
        return cls({name: resources[name]["Properties"] for name in _LOGICAL_IDS})

    def create(self, dynamodb: Any, side: str) -> Tables:
        """Create tables of their own for a side."""
        tables = Tables(*(f"{side}-{name}" for name in _LOGICAL_IDS))
        wanted = ("AttributeDefinitions", "KeySchema", "GlobalSecondaryIndexes", "BillingMode")
        for name, properties in zip(astuple(tables), self.definitions.values(), strict=True):
            dynamodb.create_table(TableName=name, **{each: properties[each] for each in wanted if each in properties})
        return tables

    def index_keys(self, table: str) -> list[frozenset[str]]:
        """The keys of every index of a side's table, the table's own key among them."""
        properties = next(each for name, each in self.definitions.items() if table.endswith(name))
        own = [each["AttributeName"] for each in properties["KeySchema"]]
        return [frozenset(own + _keys_only(index)) for index in properties.get("GlobalSecondaryIndexes", ())]


def _keys_only(index: Mapping[str, Any]) -> list[str]:
    assert index["Projection"]["ProjectionType"] == "KEYS_ONLY"
    return [each["AttributeName"] for each in index["KeySchema"]]


def store(dynamodb: Any, tables: Tables, states: Mapping[str, EntityState]) -> Iterator[int]:
    """Write the state that cards and terminals have before the first transaction; gives items written."""
    expires_at = entity_items.expiry(time.time(), RETENTION_DAYS)
    items = (entity_items.encode(key, state, 1, expires_at) for key, state in states.items())
    while chunk := list(islice(items, _ITEMS_A_CALL)):
        requests = {tables.entity: [{"PutRequest": {"Item": item}} for item in chunk]}
        while requests:
            requests = dynamodb.batch_write_item(RequestItems=requests).get("UnprocessedItems")
        yield len(chunk)


def route(dynamodb: Any, tables: Tables, model: ServedModel) -> None:
    """Put the routing item: one slot for everyone."""
    routing = Routing(1, "steady", "a", None, 0, "0123456789abcdef0123456789abcdef", {"a": model})
    dynamodb.put_item(TableName=tables.rollout, Item=routing_items.encode(routing))


def serve_model(s3: Any, sagemaker: Any, region: str) -> ServedModel:
    """Put the linear model in service, as any model would be."""
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": region})
    s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=_artefact())
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    container = {"Image": "xgboost", "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz", "Environment": environment}
    role = "arn:aws:iam::000000000000:role/benchmark"
    sagemaker.create_model(ModelName=ENDPOINT, PrimaryContainer=container, ExecutionRoleArn=role)
    variant = {"VariantName": "main", "ModelName": ENDPOINT, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName=ENDPOINT, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=ENDPOINT)
    while (status := sagemaker.describe_endpoint(EndpointName=ENDPOINT)["EndpointStatus"]) == "Creating":
        time.sleep(_POLL_SECONDS)
    assert status == "InService", status
    return _served(region)


def _served(region: str) -> ServedModel:
    """Names as long as those of a stack, because a decision carries them."""
    package = f"arn:aws:sagemaker:{region}:000000000000:model-package/fraud-detection-0a1b2c3d/12"
    return ServedModel(ENDPOINT, package, features.NAMES, features.contract_hash(features.NAMES), REVIEW, BLOCK)


def _artefact() -> bytes:
    weights = [WEIGHTS.get(name, 0.0) for name in features.NAMES]
    document = {"names": features.NAMES, "weights": weights, "review": REVIEW}
    script = Path(__file__).with_name("linear_inference.py").read_bytes()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in {"weights.json": json.dumps(document).encode(), "code/inference.py": script}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()
