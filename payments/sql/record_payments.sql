-- The recorder: incoming rows become payments, exactly once, each with its event, in one statement.
--
-- Staging, webhooks and manual entry all come through here; they differ in {incoming} (where the rows come from) and
-- {settlement} (what else is written for them, and what is returned).
--
-- Plan: every row gets a payment id before anything is claimed, so that the row whose id comes back from the claim is
-- the winner; duplicates inside the batch, between workers and against the world are all decided by that one insert.
-- `recordable` is one boolean column: with the checks spread over several conditions the planner expects one row and
-- joins by nested loop, which is quadratic in the size of the batch. The claim is sorted, so that two workers with the
-- same references wait for each other in one order. Nothing here looks before it writes: the unique index decides.
-- A row without an outcome (its reference is known) is settled by settle_known_references.sql, which runs as a new
-- statement because the winner may have committed after this one took its snapshot.
with incoming as materialized (
{incoming}
),
judged as materialized (
    select
        incoming.*,
        -- A version 7 UUID: 48 bits of milliseconds, then the random part of a version 4 UUID.
        (%(at_hex)s::text || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid as payment_id,
        case when {acceptable} then null else {reasons} end as reasons,
        date_trunc('month', payment_date at time zone 'UTC')::date = any (%(months)s::date[]) as has_partition
    from incoming
),
batch as materialized (
    select judged.*, (reasons is null and has_partition) as recordable from judged
),
claimed as (
    insert into payment_references (reference_number, payment_id, payment_date, created_at)
    select reference_number, payment_id, payment_date, %(at)s::timestamptz
    from batch
    where recordable
    order by reference_number, row_id
    on conflict (reference_number) do nothing
    returning payment_id
),
won as materialized (
    select batch.* from batch join claimed using (payment_id)
),
recorded as (
    insert into payments (
        id, reference_number, loan_account_number, cif, amount, currency, payment_date, payment_channel, source,
        metadata, source_batch_id, source_row_id, created_at
    )
    select
        payment_id, reference_number, loan_account_number, cif, amount, currency, payment_date, payment_channel,
        %(source)s::text, metadata, %(batch_id)s::uuid, {source_row_id}, %(at)s::timestamptz
    from won
),
announced as (
    insert into outbox_event (event_id, event_type, source, subject, topic, key, body, occurred_at)
    select
        event_id, 'payment.recorded', %(event_source)s::text, payment_id::text, %(topic)s::text, loan_account_number,
        json_build_object(
            'event_id', event_id,
            'event_type', 'payment.recorded',
            'timestamp', %(at)s::timestamptz,
            'payment', case
                -- The seed plan's fields and no other; an amount in another currency than the ledger's must say so.
                when currency = %(ledger_currency)s::text then json_build_object({payment_fields})
                else json_build_object({payment_fields}, 'currency', currency)
            end
        )::text,
        %(at)s::timestamptz
    from (
        select
            won.*,
            (%(at_hex)s::text || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid as event_id
        from won
    ) announcing
    order by row_id
    returning position, key
),
queued as (
    insert into outbox_delivery (position, key) select position, key from announced
){settlement}
