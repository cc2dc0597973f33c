-- Incoming rows whose reference number was already claimed: the same payment again, or a conflict?
--
-- Runs after the recorder, in a statement of its own, so that it sees payments that other sessions committed while the
-- recorder waited for them. Identity is account, CIF, amount, currency and the moment of payment; channel and metadata
-- describe, they do not identify (the same money may come by file and by webhook).
-- Plan: each generation of references by primary key, payments by (id, payment_date), which prunes to one partition a
-- row. A payment that lies in an archive is compared by the digest that the history keeps of its content.
with incoming as materialized (
{incoming}
),
digested as materialized (
    select
        incoming.*,
        {content_digest} as content_digest
    from incoming
),
known as materialized (
    select digested.row_id, reference.payment_id, reference.payment_date, null as content_digest
    from digested join payment_references reference using (reference_number)
    union all
    select digested.row_id, reference.payment_id, reference.payment_date, null
    from digested join payment_references_previous reference using (reference_number)
    union all
    select digested.row_id, reference.payment_id, reference.payment_date, reference.content_digest
    from digested join payment_references_history reference using (reference_number)
),
compared as materialized (
    select
        -- A reference on its way from one generation to the next is in both.
        distinct on (incoming.row_id)
        incoming.*,
        known.payment_id as known_payment_id,
        known.payment_date as known_payment_date,
        payment.id is null as is_archived,
        known.content_digest as known_content_digest,
        payment.loan_account_number as known_loan_account_number,
        payment.cif as known_cif,
        payment.amount as known_amount,
        payment.currency as known_currency,
        case
            when payment.id is null then incoming.content_digest = known.content_digest
            else incoming.loan_account_number = payment.loan_account_number
                and incoming.cif = payment.cif
                and incoming.amount = payment.amount
                and incoming.currency = payment.currency
                and incoming.payment_date = payment.payment_date
        end as is_same
    from digested incoming
    join known using (row_id)
    left join payments payment on payment.id = known.payment_id and payment.payment_date = known.payment_date
    where payment.id is not null or known.content_digest is not null
    order by incoming.row_id
),
differing as materialized (
    select
        compared.*,
        (
            select jsonb_agg(
                jsonb_build_object('field', field, 'recorded', was, 'received', came) order by place
            )
            from (values
                (0, 'content', case when is_archived then known_content_digest end, case when is_archived then content_digest end),
                (1, 'loan_account_number', known_loan_account_number, loan_account_number),
                (2, 'cif', known_cif, cif),
                (3, 'amount', known_amount::numeric(15, 2)::text, amount::numeric(15, 2)::text),
                (4, 'currency', known_currency, currency),
                (5, 'payment_date', to_jsonb(known_payment_date) #>> '{{}}', to_jsonb(payment_date) #>> '{{}}')
            ) as field_pair (place, field, was, came)
            -- Of an archived payment the digest is all that can be compared here.
            where was is distinct from came and (field = 'content') = is_archived
        ) as difference
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
