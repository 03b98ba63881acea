"""`fraud explain`: one decision in words."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import typer

from cli import console, tables
from cli.errors import NotFound
from cli.options import AsJson
from cli.target import Target, addressed
from cli.transaction_events import DECIMALS

EPILOG = """[bold]Examples[/bold]

  fraud explain 5f3c2a

  fraud explain 5f3c2a --json | jq .features"""

TransactionId = Annotated[str, typer.Argument(help="The id its producer gave it.")]
VERDICTS = {"approve": "approved", "review": "sent to review", "block": "blocked"}
COLOURS = {"approve": "green", "review": "yellow", "block": "red"}


@addressed
def explain(target: Target, transaction_id: TransactionId, as_json: AsJson = False) -> None:
    """Say what was decided about a transaction, why, on which features, by which model, and how fast."""
    decision = tables.get(target, "DecisionTableName", {"transaction_id": transaction_id})
    if decision is None:
        raise NotFound(
            f"No decision on {transaction_id}: it did not arrive yet, or lies in quarantine (see `fraud status`)."
        )
    account = told(decision, thresholds(target, decision.get("model_package")))
    if as_json:
        console.write_json(account)
    else:
        show(account)


def told(decision: Mapping[str, Any], limits: Mapping[str, float] | None) -> dict[str, Any]:
    """The decision item with its features by name and the thresholds its score was held against."""
    from fraud.aws.decision_items import CERTAIN, named_features

    values = named_features(decision["features"], decision["contract"])
    named = (
        values if isinstance(values, dict) else {f"feature {position}": each for position, each in enumerate(values)}
    )
    return {"propensity": CERTAIN, **decision, "features": named, "thresholds": limits}


def thresholds(target: Target, model_package: str | None) -> dict[str, float] | None:
    """Of the package that scored it: from the routing item if it still serves, else from the package's document."""
    if model_package is None:
        return None
    routing = tables.get(target, "RolloutTableName", {"pk": "routing", "sk": "routing"}) or {"slots": {}}
    for model in routing["slots"].values():
        if model["model_package"] == model_package:
            return {"review": float(model["review_threshold"]), "block": float(model["block_threshold"])}
    return _registered_thresholds(target, model_package)


def _registered_thresholds(target: Target, model_package: str) -> dict[str, float] | None:
    from botocore.exceptions import ClientError

    try:
        package = target.client("sagemaker").describe_model_package(ModelPackageName=model_package)
        bucket, _, key = package["CustomerMetadataProperties"]["package_uri"].removeprefix("s3://").partition("/")
        document = json.loads(target.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read())
    except (ClientError, KeyError):
        return None
    return {name: float(document["thresholds"][name]) for name in ("review", "block")}


def show(account: Mapping[str, Any]) -> None:
    """For people."""
    out = console.stdout()
    colour = COLOURS[account["action"]]
    out.print(f"[bold {colour}]{VERDICTS[account['action']].capitalize()}[/]: {payment(account)}", highlight=False)
    out.print(score_sentence(account), highlight=False)
    if account["propensity"] != 1:
        out.print(chance_sentence(account), highlight=False)
    for reason in account["reasons"]:
        out.print(f"  • {reason}", highlight=False, markup=False)
    out.print(console.table_of("Features", feature_words(account["features"])))
    out.print(console.table_of("Made by", versions(account)))
    out.print(console.table_of("When", timing(account)))
    out.print(label_sentence(account.get("label")))


def payment(account: Mapping[str, Any]) -> str:
    """What was paid where."""
    return (
        f"{money(account['amount_minor'], account['currency'])} at {account['terminal_id']}, "
        f"transaction {account['transaction_id']}, card {account['card_token'][:12]}…"
    )


def money(minor: int, currency: str) -> str:
    """Minor units in the currency's own."""
    decimals = DECIMALS.get(currency, 2)
    return f"{minor / 10**decimals:,.{decimals}f} {currency}"


def score_sentence(account: Mapping[str, Any]) -> str:
    """How the score compares with the thresholds, or why there is none."""
    if account.get("score") is None:
        degraded = ", and the decision is marked degraded" if account["degraded"] else ""
        return f"No model answered: rules decided{degraded}."
    score, limits = float(account["score"]), account["thresholds"]
    if limits is None:
        return f"Score {score:.4f}; the thresholds of its package are no longer known."
    return f"Score {score:.4f} {_against(score, limits)}."


def _against(score: float, limits: Mapping[str, float]) -> str:
    review, block = f"review threshold {limits['review']:.4f}", f"block threshold {limits['block']:.4f}"
    if score >= limits["block"]:
        return f"≥ {block}"
    return f"≥ {review}, < {block}" if score >= limits["review"] else f"< {review}"


def chance_sentence(account: Mapping[str, Any]) -> str:
    """How probable the action was, where policy left it to chance."""
    what = "is released from blocking" if account["action"] == "review" else "stays blocked"
    return f"Chance had a say: {float(account['propensity']):.3g} of what the score alone would block {what}."


def feature_words(values: Mapping[str, float | None]) -> dict[str, object]:
    """Each value with its unit."""
    from fraud.features import BY_NAME

    units = {name: BY_NAME[name].unit if name in BY_NAME else "" for name in values}
    return {name: "unknown" if value is None else f"{value:,.6g} {units[name]}" for name, value in values.items()}


def versions(account: Mapping[str, Any]) -> dict[str, object]:
    """Everything needed to repeat the decision."""
    return {
        "served by": account["served_by"],
        "slot it was meant for": account["slot"],
        "model package": account.get("model_package"),
        "feature contract": account["contract"],
        "policy": account["policy_version"],
        "epoch": account["epoch"],
        "flags": ", ".join(account.get("flags", [])) or None,
    }


def timing(account: Mapping[str, Any]) -> dict[str, object]:
    """When it happened, arrived and was decided, with the time between."""
    arrived = account["arrived_at"]
    return {
        "occurred": account["occurred_at"],
        "arrived": f"{arrived}  ({elapsed(account['occurred_at'], arrived)} later)",
        "decided": f"{account['decided_at']}  ({elapsed(arrived, account['decided_at'])} later)",
    }


def elapsed(earlier: str, later: str) -> str:
    """Between two RFC 3339 times, in the unit a person would use."""
    seconds = (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "s")):
        if abs(seconds) >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds * 1000:,.0f} ms"


def label_sentence(label: Mapping[str, Any] | None) -> str:
    """What became known of it since."""
    if label is None:
        return "Nothing became known of it since."
    what = "fraud" if label["is_fraud"] else "genuine"
    return f"It became known as [bold]{what}[/] at {label['labelled_at']} ({label['source']})."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(explain)
