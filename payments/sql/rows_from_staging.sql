    -- Staged rows as incoming rows. {selection} says which: the next unprocessed ones, or those of given ids.
    -- The staging table belongs to the ETL: its timestamps have no zone (they are read in STAGING_TIME_ZONE), its text may
    -- be padded, and `processed` may be null.
    select
        staged.id                                                                 as row_id,
        -- A version 7 UUID (RFC 9562): the batch's milliseconds and random bits, then 40 bits of the row's own number.
        (%(id_prefix)s::text || lpad(to_hex(staged.id & 1099511627775), 10, '0'))::uuid as payment_id,
        -- ASCII is in every normal form, and to see that is cheaper than to normalise.
        case
            when octet_length(staged.reference_number) = char_length(staged.reference_number)
                then btrim(staged.reference_number, E' \t\r\n')
            else normalize(btrim(staged.reference_number, E' \t\r\n'), nfc)
        end                                                                       as reference_number,
        btrim(staged.loan_account_number, E' \t\r\n')                             as loan_account_number,
        btrim(staged.cif, E' \t\r\n')                                             as cif,
        staged.amount                                                             as amount,
        %(currency)s::text                                                        as currency,
        staged.payment_date at time zone %(zone)s::text                           as payment_date,
        nullif(btrim(staged.payment_channel, E' \t\r\n'), '')                     as payment_channel,
        case when jsonb_typeof(staged.metadata) <> 'null' then staged.metadata end as metadata
    from {staging_table} staged
    {selection}
