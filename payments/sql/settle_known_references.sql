-- Incoming rows whose reference number was already claimed: the same payment again, or a conflict?
--
-- Runs after the recorder, in a statement of its own, so that it sees payments that other sessions committed while the
-- recorder waited for them. Identity is account, CIF, amount, currency and the moment of payment; channel and metadata
-- describe, they do not identify (the same money may come by file and by webhook).
-- Plan: references by primary key, payments by (id, payment_date), which prunes to one partition a row.
with incoming as materialized (
{incoming}
),
compared as materialized (
    select
        incoming.*,
        payment.id as known_payment_id,
        payment.payment_date as known_payment_date,
        payment.loan_account_number as known_loan_account_number,
        payment.cif as known_cif,
        payment.amount as known_amount,
        payment.currency as known_currency,
        incoming.loan_account_number = payment.loan_account_number
            and incoming.cif = payment.cif
            and incoming.amount = payment.amount
            and incoming.currency = payment.currency
            and incoming.payment_date = payment.payment_date as is_same
    from incoming
    join payment_references reference on reference.reference_number = incoming.reference_number
    join payments payment on payment.id = reference.payment_id and payment.payment_date = reference.payment_date
),
differing as materialized (
    select
        compared.*,
        (
            select jsonb_agg(
                jsonb_build_object('field', field, 'recorded', was, 'received', came) order by place
            )
            from (values
                (1, 'loan_account_number', known_loan_account_number, loan_account_number),
                (2, 'cif', known_cif, cif),
                (3, 'amount', known_amount::numeric(15, 2)::text, amount::numeric(15, 2)::text),
                (4, 'currency', known_currency, currency),
                (5, 'payment_date', to_jsonb(known_payment_date) #>> '{{}}', to_jsonb(payment_date) #>> '{{}}')
            ) as field_pair (place, field, was, came)
            where was is distinct from came
        ) as difference,
        md5(concat_ws('|', loan_account_number, cif, amount::numeric(15, 2), currency, extract(epoch from payment_date)))
            as content_digest
    from compared
    where not is_same
),
in_conflict as (
    insert into reference_conflict (
        reference_number, payment_id, payment_date, source, payment_channel, batch_id, staging_id, difference, received,
        content_digest, detected_at, last_seen_at
    )
    -- Of twins inside one batch only the first is kept: an upsert may not touch the same row twice.
    select distinct on (reference_number, content_digest)
        reference_number, known_payment_id, known_payment_date, %(source)s::text, payment_channel,
        -- Only a staged row belongs to a batch; a webhook's conflict is in the receipts, under its reference.
        case when {staging_id} is not null then %(batch_id)s::uuid end,
        {staging_id}, difference,
        jsonb_build_object(
            'reference_number', reference_number, 'loan_account_number', loan_account_number, 'cif', cif,
            'amount', amount::numeric(15, 2)::text, 'currency', currency, 'payment_date', payment_date,
            'payment_channel', payment_channel, 'metadata', metadata
        ),
        content_digest, %(at)s::timestamptz, %(at)s::timestamptz
    from differing
    order by reference_number, content_digest, row_id
    on conflict on constraint reference_conflict_once
        do update set times_seen = reference_conflict.times_seen + 1, last_seen_at = excluded.last_seen_at
){settlement}
