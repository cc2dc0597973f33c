    -- One notice that a door has already validated, as an incoming row. Plain values: arrays of one would be dear to send.
    select
        1::bigint                            as row_id,
        %(payment_id)s::uuid                 as payment_id,
        %(reference_number)s::text           as reference_number,
        %(loan_account_number)s::text        as loan_account_number,
        %(cif)s::text                        as cif,
        %(amount)s::numeric                  as amount,
        %(currency)s::text                   as currency,
        %(payment_date)s::timestamptz        as payment_date,
        %(payment_channel)s::text            as payment_channel,
        %(metadata)s::jsonb                  as metadata
