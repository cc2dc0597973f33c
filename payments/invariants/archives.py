"""Which months of payments lie in an archive and no longer in the table, as SQL."""

from __future__ import annotations

# (first_on, month tstzrange, label, rows), one row a month, whatever its parts. Payments of it that came later are
# attached again. rows is null while a part waits to be written to its file: nothing has counted it yet.
ARCHIVED_MONTHS = """
    select part.month as first_on,
           tstzrange(
               part.month::timestamp at time zone 'UTC', (part.month + interval '1 month')::timestamp at time zone 'UTC'
           ) as month,
           to_char(part.month, 'YYYY-MM') as label,
           case when bool_and(part.manifest is not null) then sum((part.manifest ->> 'rows')::bigint)::bigint end
               as rows
    from partition_archive part
    group by part.month
"""
