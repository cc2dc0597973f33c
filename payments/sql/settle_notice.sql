,
receipt as (
    insert into webhook_receipt (
        id, channel_slug, receipt_key, body_digest, outcome, status_code, reference_number, payment_id, payment_date,
        source_address, request_id, received_at, duration_ms
    )
    select
        receipt_id, channel_slug, receipt_key, body_digest, 'created', 201, reference_number, payment_id, payment_date,
        source_address, request_id, received_at,
        elapsed_ms + extract(epoch from clock_timestamp() - statement_timestamp()) * 1000
    from won
    where channel_slug is not null
)
select payment_id from won
