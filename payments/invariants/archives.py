"""Which months of payments lie in an archive and no longer in the table, as SQL."""

from __future__ import annotations

# (month tstzrange, rows bigint), one row for each month that was archived and dropped.
ARCHIVED_MONTHS = "select null::tstzrange as month, 0::bigint as rows where false"
ARCHIVES_KNOWN = "false"
