"""Lists of accounts as files."""

from __future__ import annotations

from accounts.models import AccountLock
from kernel.restapi.exportcolumns import Column, Kind
from kernel.restapi.exports import Export


def locked_accounts() -> Export:
    """Every lock that stands, with its account and cause, the oldest first."""
    rows = (
        AccountLock.objects.live()
        .order_by("locked_at", "id")
        .values_list(
            "account__account_number",
            "account__name",
            "account__branch_name",
            "account__payment_method",
            "kind",
            "cause",
            "invoice_id",
            "locked_at",
            "locked_by",
        )
    )
    columns = (
        Column("account_number"),
        Column("name"),
        Column("branch_name"),
        Column("payment_method"),
        Column("lock"),
        Column("cause"),
        Column("invoice_id", Kind.INTEGER),
        Column("locked_at", Kind.MOMENT),
        Column("locked_by"),
    )
    return Export.of(rows, columns)
