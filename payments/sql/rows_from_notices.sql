    -- Notices that a door has already validated, as incoming rows: one array a column.
    select *
    from unnest(
        %(row_ids)s::bigint[],
        %(reference_numbers)s::text[],
        %(loan_account_numbers)s::text[],
        %(cifs)s::text[],
        %(amounts)s::numeric[],
        %(currencies)s::text[],
        %(payment_dates)s::timestamptz[],
        %(payment_channels)s::text[],
        %(metadatas)s::jsonb[]
    ) as notice (
        row_id, reference_number, loan_account_number, cif, amount, currency, payment_date, payment_channel, metadata
    )
