,
repeated as (
    insert into staging_duplicate (batch_id, staging_id, reference_number, payment_id, payment_date, detected_at)
    select %(batch_id)s::uuid, row_id, reference_number, known_payment_id, known_payment_date, %(at)s::timestamptz
    from compared
    where is_same
)
select
    count(*)                                as settled,
    count(*) filter (where is_same)         as duplicates,
    count(*) filter (where not is_same)     as conflicts
from compared
