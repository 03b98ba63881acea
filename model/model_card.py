"""The model card: what a person must know before a package may decide about payments.

Its questions are those of "Model Cards for Model Reporting" (arxiv.org/abs/1810.03993) and of the NIST AI Risk
Management Framework (nist.gov/itl/ai-risk-management-framework): what it is for, what it learned from, how it was
measured, what it cannot do, and how one tells that it no longer holds. Written from `package.json` alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fraud import features

NAME = "MODEL_CARD.md"
COMPARED = "Compared with the champion"

INTENDED_USE = """\
- To rank card transactions by the risk of fraud at the moment of authorisation, and with its thresholds to choose
  between approving, sending to people for review, and blocking.
- For transactions like those it learned from: the same market, channels and currencies, the features below computed by
  the code whose contract hash is given here. Any other code refuses the package.
- Not to judge persons, set credit limits or close accounts: a score is about one transaction, not about its holder."""

LIMITS = """\
- A new kind of fraud is unknown until labels of it arrive and a model learns from them; a card or terminal without
  history is scored from little.
- What is not labelled when it is old enough counts as genuine: fraud that nobody reports lowers what is measured here,
  and what was blocked gets no label by itself.
- No attribute of a person is a feature, and fairness between groups of people was not measured: this data cannot show
  it. Who is reviewed or blocked should be looked at before and during use.
- Reasons are contributions to the score (TreeSHAP, approximate when many are asked for at once), not causes."""

OVERSIGHT = """\
- People review what lies between the thresholds; their labels come back as training data.
- `fraud backtest` measures the same features and parameters on later days. Score quantiles and feature histograms in
  `package.json` are what drift is measured against; the smoke vectors prove a deployment.
- A model is rolled out beside the one that serves, and withdrawn when it does worse."""


def render(document: Mapping[str, Any], evaluation: Mapping[str, Any] | None = None) -> str:
    """The card of a package, Markdown.

    Args:
        document: `package.json`.
        evaluation: `evaluation.json`, where the package was held against the champion.
    """
    sections = {
        "Intended use": INTENDED_USE,
        "Data": _data(document["training"]),
        "Measured": _measured(document["training"]),
        **({COMPARED: _compared(evaluation)} if evaluation else {}),
        "Thresholds": _thresholds(document),
        "Limits": LIMITS,
        "Oversight": OVERSIGHT,
        "Parameters": _table(("parameter", "value"), document["training"]["parameters"].items()),
        "Features": _features(document),
    }
    text = "\n\n".join(f"## {title}\n\n{body}" for title, body in sections.items())
    return f"# Model card: fraud score\n\n{_identity(document)}\n\n{text}\n"


def _identity(document: Mapping[str, Any]) -> str:
    training = document["training"]
    return (
        f"Gradient-boosted trees ({training['trees']} of them, XGBoost {training['xgboost']}) that score a transaction "
        f"from 0 to 1 by {len(document['contract']['names'])} features.\n\n"
        f"- Feature contract: `{document['contract']['hash']}`\n- Model file: SHA-256 `{document['model_sha256']}`"
    )


def _data(training: Mapping[str, Any]) -> str:
    rows, frauds = training["rows"], training["frauds"]
    return (
        f"{rows:,} transactions from {training['first_at']} to {training['last_at']}, {frauds:,} of them fraud "
        f"({frauds / rows:.3%}). Every feature is as it was known when the transaction happened; a label counts from "
        "the moment it became known."
    )


def _measured(training: Mapping[str, Any]) -> str:
    return (
        f"Learned from what came before {training['validation_from']}; measured on the "
        f"{training['validation_rows']:,} rows from then on ({training['validation_frauds']:,} frauds), which "
        "also chose the number of trees and the thresholds. Shares are of transactions.\n\n"
        + _table(("metric", "value"), ((name, f"{value:.4f}") for name, value in training["metrics"].items()))
    )


def _compared(evaluation: Mapping[str, Any]) -> str:
    rows = (
        f"On {evaluation['rows']:,} transactions from {evaluation['first_at']} to {evaluation['last_at']}, "
        f"{evaluation['frauds']:,} of them fraud, none of which it learned from. "
    )
    ours, champion, gains = evaluation["candidate"]["metrics"], evaluation["champion"], evaluation["gains"]
    if champion is None:
        values = ((name, f"{value:.4f}") for name, value in ours.items())
        return rows + "No model served when it was evaluated.\n\n" + _table(("metric", "value"), values)
    told = f"The champion is `{champion['model_package']}`; an interval is of the difference, cards drawn again.\n\n"
    lines = (
        (name, f"{ours[name]:.4f}", f"{champion['metrics'][name]:.4f}", _gain(gain)) for name, gain in gains.items()
    )
    return rows + told + _table(("metric", "this model", "champion", "difference (95 % interval)"), lines)


def _gain(gain: Mapping[str, float]) -> str:
    return f"{gain['difference']:+.4f} ({gain['low']:+.4f} to {gain['high']:+.4f})"


def _thresholds(document: Mapping[str, Any]) -> str:
    chosen, parameters = document["thresholds"], document["training"]["parameters"]
    return (
        f"- Block at {chosen['block']:.6f} and above: the lowest score from which at least "
        f"{parameters['block_precision']:.0%} of the measured rows were fraud.\n"
        f"- Review at {chosen['review']:.6f} and above: what people can look at, "
        f"{parameters['review_share']:.1%} of transactions."
    )


def _features(document: Mapping[str, Any]) -> str:
    shares = document["training"]["importance"]
    rows = [(name, _unit(name), f"{shares.get(name, 0):.1%}") for name in document["contract"]["names"]]
    return "Share of what all splits gained, in the order of the contract.\n\n" + _table(
        ("feature", "unit", "share of gain"), rows
    )


def _unit(name: str) -> str:
    feature = features.BY_NAME.get(name)
    return feature.unit if feature else "unknown to this code"


def _table(header: Sequence[str], rows: Any) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
