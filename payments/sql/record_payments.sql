-- The recorder: incoming rows become payments, exactly once, each with its event, in one statement.
--
-- Staging, webhooks and manual entry all come through here; they differ in {incoming} (where the rows come from) and
-- {settlement} (what else is written for them, and what is returned).
--
-- Plan: every row has a payment id before anything is claimed, so that the row whose id comes back from the claim is
-- the winner; duplicates inside the batch, between workers and against the world are all decided by that one insert.
-- `acceptable` is one boolean column: with the checks spread over several conditions the planner expects one row and
-- joins by nested loop, which is quadratic in the size of the batch. The claim is sorted, so that two workers with the
-- same references wait for each other in one order. Nothing here looks before it writes: the unique index decides.
-- References that were claimed in earlier generations of the gate are in two tables that no session inserts into while
-- it records; what moves rows between the three shuts the gate for that moment (payments/operations/references.py).
-- A row without an outcome (its reference is known) is settled by settle_known_references.sql, which runs as a new
-- statement because the winner may have committed after this one took its snapshot.
with batch as materialized (
    select
        incoming.*,
        {acceptable} as acceptable,
        payment_date <@ %(months)s::tstzmultirange as has_partition
    from (
{incoming}
    ) incoming
),
claimed as (
    insert into payment_references (reference_number, payment_id, payment_date, created_at)
    select reference_number, payment_id, payment_date, %(at)s::timestamptz
    from batch
    where acceptable and has_partition
        and not exists (
            select from payment_references_previous earlier where earlier.reference_number = batch.reference_number
        )
        and not exists (
            select from payment_references_history earlier where earlier.reference_number = batch.reference_number
        )
    order by reference_number, row_id
    on conflict (reference_number) do nothing
    returning payment_id
),
won as materialized (
    -- In order of arrival: the events of one account get their positions, and so go out, as their rows came.
    select batch.* from batch join claimed using (payment_id) order by row_id
),
recorded as (
    insert into payments (
        id, reference_number, loan_account_number, cif, amount, currency, payment_date, payment_channel, source,
        metadata, source_batch_id, source_row_id, created_at
    )
    select
        payment_id, reference_number, loan_account_number, cif, amount, currency, payment_date, payment_channel,
        %(source)s::text, metadata, {source_batch_id}, {source_row_id}, %(at)s::timestamptz
    from won
),
announced as (
    insert into outbox_event (event_id, event_type, source, subject, topic, key, body, occurred_at)
    select
        -- A payment is recorded once, so that its id serves its event too, and each is found by the other.
        payment_id, 'payment.recorded', %(event_source)s::text, payment_id::text, %(topic)s::text, loan_account_number,
        json_build_object(
            'event_id', payment_id,
            'event_type', 'payment.recorded',
            'timestamp', %(at)s::timestamptz,
            'payment', case
                -- The seed plan's fields and no other; an amount in another currency than the ledger's must say so.
                when currency = %(ledger_currency)s::text then json_build_object({payment_fields})
                else json_build_object({payment_fields}, 'currency', currency)
            end
        )::text,
        %(at)s::timestamptz
    from won
    returning position, key
),
queued as (
    insert into outbox_delivery (position, key) select position, key from announced
){settlement}
