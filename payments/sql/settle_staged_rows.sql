,
-- The staging table is the ETL's own: processed and processed_at are all that is written there.
marked as (
    update {staging_table} staged
    set processed = true, processed_at = %(at)s::timestamptz at time zone %(zone)s::text
    from batch
    where staged.id = batch.row_id
),
rejected as (
    insert into staging_rejection (batch_id, staging_id, reference_number, reasons, raw, rejected_at)
    select %(batch_id)s::uuid, staged.id, coalesce(staged.reference_number, ''), refused.reasons, to_jsonb(staged),
           %(at)s::timestamptz
    from (select row_id, {reasons} as reasons from batch where not acceptable) refused
    join {staging_table} staged on staged.id = refused.row_id
)
select
    count(*)                                                                       as total,
    min(row_id)                                                                    as first_id,
    max(row_id)                                                                    as last_id,
    (select count(*) from claimed)                                                 as recorded,
    count(*) filter (where not acceptable)                                         as rejected,
    -- Only a payment that is new needs its month: a repetition of one that was archived brings no partition back.
    array_agg(distinct date_trunc('month', payment_date at time zone 'UTC')::date) filter (
        where acceptable and not has_partition
            and not exists (select from payment_references known where known.reference_number = batch.reference_number)
            and not exists (
                select from payment_references_previous known where known.reference_number = batch.reference_number
            )
            and not exists (
                select from payment_references_history known where known.reference_number = batch.reference_number
            )
    )                                                                              as months_without_partition,
    array_agg(row_id) filter (where acceptable and claimed.payment_id is null)     as known_row_ids
from batch
left join claimed using (payment_id)
