,
receipt as (
    insert into webhook_receipt (
        id, channel_slug, receipt_key, body_digest, outcome, status_code, reference_number, payment_id, payment_date,
        source_address, request_id, received_at, duration_ms
    )
    select
        %(batch_id)s::uuid, %(channel_slug)s::text, %(receipt_key)s::text, %(body_digest)s::text, 'created', 201,
        reference_number, payment_id, payment_date, %(source_address)s::inet, %(request_id)s::text, %(at)s::timestamptz,
        %(elapsed_ms)s::numeric + extract(epoch from clock_timestamp() - statement_timestamp()) * 1000
    from won
    where %(channel_slug)s::text is not null
)
select payment_id, payment_date from won
