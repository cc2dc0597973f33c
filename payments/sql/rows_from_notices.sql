    -- Notices of several requests that share the statement, each with its receipt. One JSON text is cheaper to send than
    -- an array a column; amounts are text in it, so that they stay exact.
    select
        row_id, payment_id, reference_number, loan_account_number, cif, amount, currency, payment_date, payment_channel,
        metadata::jsonb as metadata, null::bigint as source_row_id, receipt_id, channel_slug, receipt_key, body_digest,
        source_address, request_id, received_at, elapsed_ms
    from json_to_recordset(%(notices)s::json) as notice (
        row_id bigint, payment_id uuid, reference_number text, loan_account_number text, cif text, amount numeric,
        currency text, payment_date timestamptz, payment_channel text, metadata text, receipt_id uuid, channel_slug text,
        receipt_key text, body_digest text, source_address inet, request_id text, received_at timestamptz,
        elapsed_ms numeric
    )
