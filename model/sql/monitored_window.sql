-- What arrived from $from to $as_of, each transaction once, with the verdicts that stood at $as_of.
--
-- As training_set.sql, but by arrival; reviews and chargebacks are kept apart; and features are handed on only of what
-- arrived since $features_from, because they are most of the bytes. Times are text of one form, which sorts as time
-- does. Athena and DuckDB run this as it stands.
WITH decided AS (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY transaction_id ORDER BY decided_at, arrived_at) AS copy
    FROM decisions
    WHERE dt BETWEEN '$first_day' AND '$last_day'
        AND arrived_at > '$from'
        AND arrived_at <= '$as_of'
),

verdicts AS (
    SELECT
        transaction_id,
        source,
        is_fraud,
        known_at,
        MIN(CASE WHEN is_fraud THEN known_at END) OVER (PARTITION BY transaction_id) AS first_fraud_at,
        ROW_NUMBER() OVER (
            PARTITION BY transaction_id
            ORDER BY
                labelled_at DESC,
                CASE WHEN source = 'chargeback' THEN 0 ELSE 1 END,
                CASE WHEN is_fraud THEN 0 ELSE 1 END,
                known_at
        ) AS place,
        ROW_NUMBER() OVER (
            PARTITION BY transaction_id, source
            ORDER BY labelled_at DESC, CASE WHEN is_fraud THEN 0 ELSE 1 END, known_at
        ) AS place_of_source
    FROM labels
    WHERE dt BETWEEN '$first_day' AND '$last_day'
        AND known_at <= '$as_of'
)

SELECT
    decided.transaction_id,
    decided.card_token,
    decided.terminal_id,
    decided.occurred_at,
    decided.arrived_at,
    decided.amount_minor,
    decided.currency,
    decided.channel,
    decided.country,
    decided.merchant_category,
    decided.action,
    decided.score,
    decided.propensity,
    decided.model_package,
    decided.slot,
    decided.degraded,
    decided.contract,
    CASE WHEN decided.arrived_at > '$features_from' THEN decided.features END AS features,
    standing.is_fraud,
    standing.known_at,
    standing.first_fraud_at,
    review.is_fraud AS review_is_fraud,
    chargeback.is_fraud AS chargeback_is_fraud
FROM decided
LEFT JOIN verdicts AS standing
    ON standing.transaction_id = decided.transaction_id
    AND standing.place = 1
LEFT JOIN verdicts AS review
    ON review.transaction_id = decided.transaction_id
    AND review.source = 'review'
    AND review.place_of_source = 1
LEFT JOIN verdicts AS chargeback
    ON chargeback.transaction_id = decided.transaction_id
    AND chargeback.source = 'chargeback'
    AND chargeback.place_of_source = 1
WHERE decided.copy = 1
