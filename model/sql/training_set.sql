-- What was served, each transaction once, with the verdict that stood at $as_of.
--
-- Decisions and verdicts are archived at least once. Of copies the first stands; of verdicts the latest, of two at one
-- instant a chargeback, then a fraud, as everywhere. Features are those that were served: what is learned from is what
-- was seen. A verdict may be given again or withdrawn: first_fraud_at is when fraud was first said, for since then
-- features may have known of it. Times are text of one form, which sorts as time does. Athena and DuckDB run this as it
-- stands.
WITH decided AS (
    SELECT
        *,
        ROW_NUMBER() OVER (PARTITION BY transaction_id ORDER BY decided_at, arrived_at) AS copy
    FROM decisions
    WHERE dt BETWEEN '$first_day' AND '$last_day'
        AND occurred_at >= '$from'
        AND arrived_at <= '$as_of'
),

verdicts AS (
    SELECT
        transaction_id,
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
        ) AS place
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
    decided.model_package,
    decided.slot,
    decided.degraded,
    decided.contract,
    decided.features,
    verdicts.is_fraud,
    verdicts.known_at,
    verdicts.first_fraud_at
FROM decided
LEFT JOIN verdicts
    ON verdicts.transaction_id = decided.transaction_id
    AND verdicts.place = 1
WHERE decided.copy = 1
