"""Pages of a list over a big table, without counting the table."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db import connection
from django.db.models import QuerySet
from django.utils.functional import cached_property

EXACT_LIMIT = 10_000


class EstimatedCountPaginator(Paginator):
    """Counts up to 10,000 rows and stops there: the list says "10,000+", and its last page ends there.

    Nobody turns 400 pages; whoever looks for an older row searches or filters. An unfiltered list also says how many
    rows PostgreSQL believes there are.
    """

    template_name = "admin/paymentsite/pagination.html"
    object_list: QuerySet[Any]

    @cached_property
    def count(self) -> int:
        return min(self._counted, EXACT_LIMIT)

    @property
    def is_capped(self) -> bool:
        return self._counted > EXACT_LIMIT

    @cached_property
    def count_shown(self) -> str:
        """`1,204`, `10,000+`, or for an unfiltered big table `about 5,200,000`."""
        if not self.is_capped:
            return f"{self._counted:,}"
        estimate = (
            None if self.object_list.query.has_filters() else estimated_rows(self.object_list.model._meta.db_table)
        )
        return f"about {estimate:,}" if estimate and estimate > EXACT_LIMIT else f"{EXACT_LIMIT:,}+"

    @cached_property
    def _counted(self) -> int:
        # The limit stands inside the counted query, so that PostgreSQL stops reading there.
        return self.object_list.order_by()[: EXACT_LIMIT + 1].count()


def estimated_rows(table: str) -> int | None:
    """Rows of the table and its partitions as of their last ANALYZE; None when that never happened."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select sum(leaf.reltuples)::bigint
            from pg_partition_tree(to_regclass(%s)) as tree
            join pg_class as leaf on leaf.oid = tree.relid
            where tree.isleaf and leaf.reltuples >= 0
            """,
            [table],
        )
        partitioned = cursor.fetchone()[0]
        if partitioned is not None:
            return int(partitioned)
        cursor.execute("select reltuples::bigint from pg_class where oid = to_regclass(%s) and reltuples >= 0", [table])
        row = cursor.fetchone()
        return None if row is None else int(row[0])
