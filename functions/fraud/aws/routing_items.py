"""The routing item and its DynamoDB notation."""

from __future__ import annotations

from fraud.aws.dynamodb import Item, number, strings, text, texts_of
from fraud.routing import Routing, ServedModel

KEY: Item = {"pk": {"S": "routing"}, "sk": {"S": "routing"}}


def encode(routing: Routing) -> Item:
    """The item of a routing."""
    challenger = {} if routing.challenger is None else {"challenger": text(routing.challenger)}
    return {
        **KEY,
        **challenger,
        "epoch": number(routing.epoch),
        "status": text(routing.status),
        "champion": text(routing.champion),
        "share_bps": number(routing.share_bps),
        "shadow_bps": number(routing.shadow_bps),
        "salt": text(routing.salt),
        "slots": {"M": {slot: {"M": _encode_model(model)} for slot, model in routing.slots.items()}},
    }


def decode(item: Item) -> Routing:
    """The routing of an item."""
    return Routing(
        epoch=int(item["epoch"]["N"]),
        status=item["status"]["S"],
        champion=item["champion"]["S"],
        challenger=item["challenger"]["S"] if "challenger" in item else None,
        share_bps=int(item["share_bps"]["N"]),
        salt=item["salt"]["S"],
        # Items of the first release have none.
        shadow_bps=int(item["shadow_bps"]["N"]) if "shadow_bps" in item else 0,
        slots={slot: _decode_model(value["M"]) for slot, value in item["slots"]["M"].items()},
    )


def _encode_model(model: ServedModel) -> Item:
    return {
        "endpoint": text(model.endpoint),
        "model_package": text(model.model_package),
        "contract": strings(model.contract),
        "contract_hash": text(model.contract_hash),
        "review_threshold": number(model.review_threshold),
        "block_threshold": number(model.block_threshold),
        "instance_type": text(model.instance_type),
        "instance_count": number(model.instance_count),
    }


def _decode_model(item: Item) -> ServedModel:
    return ServedModel(
        endpoint=item["endpoint"]["S"],
        model_package=item["model_package"]["S"],
        contract=texts_of(item["contract"]),
        contract_hash=item["contract_hash"]["S"],
        review_threshold=float(item["review_threshold"]["N"]),
        block_threshold=float(item["block_threshold"]["N"]),
        instance_type=item["instance_type"]["S"] if "instance_type" in item else "",
        instance_count=int(item["instance_count"]["N"]) if "instance_count" in item else 0,
    )
