    -- Staged rows as incoming rows. {selection} says which: the next unprocessed ones, or those of given ids.
    -- The staging table belongs to the ETL: its timestamps have no zone (they are read in STAGING_TIME_ZONE), its text may
    -- be padded, and `processed` may be null.
    select
        staged.id                                                                 as row_id,
        normalize(btrim(staged.reference_number, E' \t\r\n'), nfc)                as reference_number,
        btrim(staged.loan_account_number, E' \t\r\n')                             as loan_account_number,
        btrim(staged.cif, E' \t\r\n')                                             as cif,
        staged.amount                                                             as amount,
        %(currency)s::text                                                        as currency,
        staged.payment_date at time zone %(zone)s::text                           as payment_date,
        nullif(btrim(staged.payment_channel, E' \t\r\n'), '')                     as payment_channel,
        case when jsonb_typeof(staged.metadata) <> 'null' then staged.metadata end as metadata
    from {staging_table} staged
    {selection}
