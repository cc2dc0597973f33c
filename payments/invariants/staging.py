"""Staged rows and their outcomes: each row that was marked has one, and the counts of every batch are true."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings

from kernel.invariants.registry import Look
from kernel.invariants.statements import look_by_sql
from payments.invariants.archives import ARCHIVED_MONTHS
from payments.operations.staging_table import staging_table_exists
from payments.recorder import staging_table

# A row that staff corrected is recorded under its batch and row as well; it was counted as what it was at first.
FIRST_HAND = """
    select payment.source_batch_id as batch_id, payment.source_row_id as row_id, payment.created_at
    from payments payment
    where payment.source = 'staging' and payment.source_batch_id is not null
        and not exists (
            select from staging_rejection rejection
            where rejection.batch_id = payment.source_batch_id and rejection.staging_id = payment.source_row_id
        )
        and not exists (
            select from reference_conflict conflict
            where conflict.batch_id = payment.source_batch_id and conflict.staging_id = payment.source_row_id
        )
"""
COUNT_BATCHES = "select count(*) from staging_process_log where status = 'completed'"
# A conflict that was seen before is counted in its row, so that a batch has at most as many rows as it counts. The
# payments of a batch may be archived meanwhile.
MISCOUNTED = f"""
select batch.id::text as id,
       'Batch ' || batch.id || ' counts ' || batch.processed_records || ' recorded, ' || batch.duplicate_records
           || ' duplicates, ' || batch.conflict_records || ' conflicts, ' || batch.error_records || ' rejected, '
           || batch.total_records || ' in all; found are ' || coalesce(recorded.rows, 0) || ', '
           || coalesce(duplicates.rows, 0) || ', ' || coalesce(conflicts.rows, 0) || ' and '
           || coalesce(rejected.rows, 0) || '.' as sentence,
       true as is_broken
from staging_process_log batch
left join (select batch_id, count(*) as rows from ({FIRST_HAND}) first_hand group by batch_id) recorded
    on recorded.batch_id = batch.id
left join (select batch_id, count(*) as rows from staging_duplicate group by batch_id) duplicates
    on duplicates.batch_id = batch.id
left join (select batch_id, count(*) as rows from reference_conflict group by batch_id) conflicts
    on conflicts.batch_id = batch.id
left join (select batch_id, count(*) as rows from staging_rejection group by batch_id) rejected
    on rejected.batch_id = batch.id
where batch.status = 'completed' and (
    batch.total_records <> batch.processed_records + batch.duplicate_records + batch.conflict_records
        + batch.error_records
    or coalesce(recorded.rows, 0) > batch.processed_records
    or (
        coalesce(recorded.rows, 0) < batch.processed_records
        and not exists (select from partition_archive part where part.detached_at > batch.started_at)
    )
    or coalesce(duplicates.rows, 0) <> batch.duplicate_records
    or coalesce(conflicts.rows, 0) > batch.conflict_records
    or coalesce(rejected.rows, 0) <> batch.error_records
)
"""  # noqa: S608 - our own text
UNLOGGED = f"""
select first_hand.batch_id::text as id,
       count(*) || ' payments name the batch ' || first_hand.batch_id || ', which is not in the process log.'
           as sentence,
       true as is_broken
from ({FIRST_HAND}) first_hand
where first_hand.created_at >= (select min(started_at) from staging_process_log)
    and first_hand.created_at >= %(kept_since)s::timestamptz
    and not exists (select from staging_process_log batch where batch.id = first_hand.batch_id)
group by first_hand.batch_id
"""  # noqa: S608

# A row and its outcome carry the same moment, which also tells apart the rows of an id that the ETL used again.
COUNT_MARKED = "select count(*) from {staging_table} where processed"
UNACCOUNTED = """
select staged.id::text as id,
       'Staged row ' || staged.id || ' (' || staged.reference_number || ') is marked and has '
           || coalesce(outcome.times, 0) || ' outcomes.' as sentence,
       true as is_broken
from {staging_table} staged
left join (
    select row_id, done_at, count(*) as times
    from (
        select row_id, created_at at time zone %(zone)s::text as done_at from ({first_hand}) first_hand
        union all
        select staging_id, detected_at at time zone %(zone)s::text from staging_duplicate
        union all
        select staging_id, rejected_at at time zone %(zone)s::text from staging_rejection
        union all
        select staging_id, detected_at at time zone %(zone)s::text from reference_conflict
        where staging_id is not null
    ) outcome
    group by row_id, done_at
) outcome on outcome.row_id = staged.id and outcome.done_at = staged.processed_at
where staged.processed and coalesce(outcome.times, 0) <> 1
    and not (
        -- Its duplicate was pruned with its batch.
        coalesce(outcome.times, 0) = 0 and staged.processed_at at time zone %(zone)s::text < %(kept_since)s::timestamptz
    )
    and not (
        -- A conflict that came before: its row is the first one's. By its content, because two batches at the same
        -- time may leave the earlier moment as that of the last look.
        coalesce(outcome.times, 0) = 0 and exists (
            select from reference_conflict conflict
            where conflict.reference_number = normalize(btrim(staged.reference_number, E' \\t\\r\\n'), nfc)
                and conflict.received ->> 'loan_account_number' = btrim(staged.loan_account_number, E' \\t\\r\\n')
                and conflict.received ->> 'cif' = btrim(staged.cif, E' \\t\\r\\n')
                and conflict.received ->> 'amount' = staged.amount::numeric(15, 2)::text
                and (conflict.received ->> 'payment_date')::timestamptz
                    = staged.payment_date at time zone %(zone)s::text
        )
    )
    and not exists (
        select from ({archived_months}) archived
        where staged.payment_date at time zone %(zone)s::text <@ archived.month
    )
"""


def batches_add_up(at: datetime) -> Look:
    return look_by_sql(COUNT_BATCHES, [MISCOUNTED, UNLOGGED], {"kept_since": _kept_since(at)})


def staged_rows_are_accounted_for(at: datetime) -> Look:
    """Nothing is looked at where the ETL's table is not there, or not there yet."""
    if not staging_table_exists():
        return Look(0)
    texts = {"staging_table": staging_table(), "first_hand": FIRST_HAND, "archived_months": ARCHIVED_MONTHS}
    values = {"zone": settings.STAGING_ZONE.key, "kept_since": _kept_since(at)}
    return look_by_sql(COUNT_MARKED.format(**texts), [UNACCOUNTED.format(**texts)], values)


def _kept_since(at: datetime) -> datetime:
    """Whatever ended later than this was not pruned."""
    return at - timedelta(days=settings.PROCESS_LOG_RETENTION_DAYS)
