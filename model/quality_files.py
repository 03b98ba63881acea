"""Files in the schemas of SageMaker Model Monitor for model quality and for bias; see `monitor_files`.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from model import attributions, group_bias, metrics
from model.examples import rfc3339
from model.findings import Finding
from model.label_quality import Outcomes
from model.metrics import Flags, Floats
from model.monitor_files import VERSION, Document
from model.monitoring_context import Context

BIAS_VERSION = "1.0"
FEWEST_SAMPLES = 200
"""Rows below which a standard deviation is the text NaN, as Model Monitor has it."""
DRAWS, DRAWN = 5, 0.8
"""Times that a part of the rows is drawn, for the standard deviation."""
MOST_POINTS = 101
"""Of a curve."""
SEED = 1
NAMES = {"auc": "auc", "alert_recall": "recall", "alert_precision": "precision"}
"""What Model Monitor calls the metrics that are held against the promise."""
BELOW = "LessThanThreshold"


def statistics(known: Outcomes, context: Context) -> Document:
    """`statistics.json` of model quality: of rows reviewed or blocked, as the champion's thresholds have it.

    Args:
        known: the champion's mature rows.
        context: of the look.
    """
    dataset = {
        "item_count": len(known.is_fraud),
        "start_time": rfc3339(context.mature_until - context.limits.quality),
        "end_time": rfc3339(context.mature_until),
        "evaluation_time": rfc3339(context.until),
    }
    threshold = context.baseline.thresholds.get("review", 1.0)
    found = _measured(known, threshold) if known.has_both else {}
    return {"version": VERSION, "dataset": dataset, "binary_classification_metrics": found}


def constraints(context: Context) -> Document:
    """`constraints.json` of model quality: what of its promise a model may not lose."""
    promise, loss = context.baseline.promise, context.limits.quality_loss
    asked = {
        ours: {"threshold": promise[name] - loss, "comparison_operator": BELOW}
        for name, ours in NAMES.items()
        if name in promise
    }
    return {"version": VERSION, "binary_classification_constraints": asked}


def violations(findings: Iterable[Finding]) -> Document:
    """`constraint_violations.json` of model quality."""
    return {
        "violations": [
            {"constraint_check_type": BELOW, "description": each.sentence, "metric_name": NAMES[each.name]}
            for each in findings
            if each.outcome == "violated" and each.check == "model_quality_check"
        ]
    }


def bias_violations(findings: Iterable[Finding]) -> Document:
    """`constraint_violations.json` of bias."""
    return {"version": BIAS_VERSION, "violations": [_bias(each) for each in findings if _is_biased(each)]}


def attribution_violations(findings: Iterable[Finding]) -> Document:
    """`constraint_violations.json` of feature attributions; there is one label, the only output."""
    found = [each for each in findings if each.check == attributions.CHECK and each.outcome == "violated"]
    told = {"label": "label0", "metric_name": "shap", "constraint_check_type": attributions.CHECK}
    return {"version": BIAS_VERSION, "violations": [told | {"description": each.sentence} for each in found]}


def _is_biased(finding: Finding) -> bool:
    return finding.outcome == "violated" and finding.check == group_bias.CHECK


def _bias(finding: Finding) -> dict[str, str]:
    named = group_bias.named(finding.name)
    return {
        "facet": named.field,
        "facet_value": named.value,
        "metric_name": named.metric,
        "constraint_check_type": finding.check,
        "description": finding.sentence,
    }


# --- Metrics of a binary classification ------------------------------------------------------------------------------


def _measured(known: Outcomes, threshold: float) -> Document:
    alerted = known.score >= threshold
    ranking = metrics.rank(known.is_fraud, known.score)
    return {
        "confusion_matrix": _confusion(known.is_fraud, alerted),
        **_with_deviation(known, alerted),
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": _thinned(ranking.false_positive_rate),
            "true_positive_rates": _thinned(ranking.recall),
        },
        "precision_recall_curve": {"precisions": _thinned(ranking.precision), "recalls": _thinned(ranking.recall)},
    }


def _confusion(is_fraud: Flags, alerted: Flags) -> dict[str, dict[str, int]]:
    """Rows by what they were, and by what was said of them."""
    return {
        str(int(actual)): {
            str(int(said)): int(((is_fraud == actual) & (alerted == said)).sum()) for said in (False, True)
        }
        for actual in (False, True)
    }


def _with_deviation(known: Outcomes, alerted: Flags) -> dict[str, Any]:
    drawn = _drawn(known, alerted)
    return {
        name: {"value": value, "standard_deviation": float(np.std([each[name] for each in drawn])) if drawn else "NaN"}
        for name, value in _metrics(known.is_fraud, known.score, alerted).items()
    }


def _drawn(known: Outcomes, alerted: Flags) -> list[dict[str, float]]:
    count, generator = len(known.is_fraud), np.random.default_rng(SEED)
    if count < FEWEST_SAMPLES:
        return []
    draws = (generator.choice(count, int(DRAWN * count), replace=False) for _ in range(DRAWS))
    return [_metrics(known.is_fraud[rows], known.score[rows], alerted[rows]) for rows in draws]


def _metrics(is_fraud: Flags, scores: Floats, alerted: Flags) -> dict[str, float]:
    """By the names of Model Monitor; what would be divided by nothing is 0."""
    counts = _confusion(is_fraud, alerted)
    hits, misses = counts["1"]["1"], counts["1"]["0"]
    alarms, passed = counts["0"]["1"], counts["0"]["0"]
    constant = _of_constant(bool(is_fraud.mean() >= 0.5), float(is_fraud.mean())) if len(is_fraud) else {}
    both = bool(is_fraud.any() and not is_fraud.all())
    return {
        "recall": _ratio(hits, hits + misses),
        "precision": _ratio(hits, hits + alarms),
        "accuracy": _ratio(hits + passed, len(is_fraud)),
        "auc": metrics.roc_auc(metrics.rank(is_fraud, scores)) if both else 0.0,
        **_f_scores(_ratio(hits, hits + alarms), _ratio(hits, hits + misses)),
        "true_positive_rate": _ratio(hits, hits + misses),
        "true_negative_rate": _ratio(passed, passed + alarms),
        "false_positive_rate": _ratio(alarms, passed + alarms),
        "false_negative_rate": _ratio(misses, hits + misses),
        **{f"{name}_best_constant_classifier": value for name, value in constant.items()},
    }


def _of_constant(says_fraud: bool, fraud_share: float) -> Mapping[str, float]:
    """Metrics of what always says the more frequent outcome."""
    recall, precision = (1.0, fraud_share) if says_fraud else (0.0, 0.0)
    accuracy = fraud_share if says_fraud else 1 - fraud_share
    return {"recall": recall, "precision": precision, "accuracy": accuracy, **_f_scores(precision, recall)}


def _f_scores(precision: float, recall: float) -> dict[str, float]:
    return {
        f"f{beta:g}".replace(".", "_"): _ratio((1 + beta**2) * precision * recall, beta**2 * precision + recall)
        for beta in (0.5, 1.0, 2.0)
    }


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _thinned(values: Floats) -> list[float]:
    """At most so many points of a curve, its ends among them."""
    places = np.unique(np.linspace(0, len(values) - 1, MOST_POINTS).astype(np.int64))
    chosen: list[float] = values[places].tolist()
    return chosen
