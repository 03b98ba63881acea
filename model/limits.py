"""What a look at a window calls a change; see `fraud.monitoring_plan`, whose words these are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Numbers of the plan, shares 0 to 1, ages in seconds."""

    fewest_rows: int
    fewest_frauds: int
    alpha: float
    least_psi: float
    least_ks: float
    least_share: float
    least_ratio: float
    least_volume: float
    quality_loss: float
    bias_gap: float
    fairness: tuple[str, ...]
    most_parity_mismatches: float
    parity_entities: int
    maturity: int
    quality: int
    stale: int
    freshest_label: int
