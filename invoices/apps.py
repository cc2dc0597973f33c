"""What is owed, and what became of it."""

from __future__ import annotations

from django.apps import AppConfig

from accounts.closing import register_hindrance
from kernel.approvals.registry import register_kind


class InvoicesConfig(AppConfig):
    name = "invoices"
    verbose_name = "Invoices"

    def ready(self) -> None:
        # Models can be imported only when every app is loaded.
        from invoices.hindrances import of_invoices_and_credits
        from invoices.operations.refundapprovals import REFUND_KIND

        register_kind(REFUND_KIND)
        register_hindrance("invoices", of_invoices_and_credits)
