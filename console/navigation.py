"""The sidebar: what each person may see, with the counts of what waits for a decision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from console.overview import approvals_waiting, open_counts

Count = Callable[[], int]


@dataclass(frozen=True, slots=True)
class Page:
    """One entry: its list's address (app_model) and the permission that opens it."""

    title: str
    icon: str
    place: str
    permission: str
    count: Count | None = None

    def entry(self, request: HttpRequest) -> dict[str, Any] | None:
        """As unfold wants it; None for a person who may not open it, and for a page that is not there."""
        if not request.user.has_perm(self.permission):
            return None
        try:
            link = reverse(f"admin:{self.place}_changelist")
        except NoReverseMatch:
            return None
        entry: dict[str, Any] = {"title": self.title, "icon": self.icon, "link": link}
        waiting = self.count() if self.count is not None else 0
        if waiting:
            entry |= {"badge": f"{waiting:,}", "badge_variant": "warning"}
        return entry


GROUPS: tuple[tuple[str, tuple[Page, ...]], ...] = (
    (
        "Payments",
        (
            Page("Payments", "payments", "payments_payment", "payments.view_payment"),
            Page(
                "Rejections",
                "report",
                "payments_stagingrejection",
                "payments.view_stagingrejection",
                lambda: open_counts().rejections,
            ),
            Page(
                "Conflicts",
                "call_split",
                "payments_referenceconflict",
                "payments.view_referenceconflict",
                lambda: open_counts().conflicts,
            ),
        ),
    ),
    (
        "Catalogue",
        (
            Page("Products", "category", "catalogue_product", "catalogue.view_product"),
            Page("Prices", "sell", "catalogue_feeschedule", "catalogue.view_feeschedule"),
            Page("Filing types", "description", "catalogue_filingtype", "catalogue.view_filingtype"),
            Page("Fee codes", "price_change", "catalogue_feecode", "catalogue.view_feecode"),
            Page("GL codes", "account_tree", "catalogue_glcode", "catalogue.view_glcode"),
            Page("GL links", "link", "catalogue_gllink", "catalogue.view_gllink"),
            Page("Tax rates", "percent", "catalogue_taxrate", "catalogue.view_taxrate"),
        ),
    ),
    (
        "Invoices",
        (
            Page("Invoices", "receipt_long", "invoices_invoice", "invoices.view_invoice"),
            Page("Refunds", "undo", "invoices_refund", "invoices.view_refund"),
            Page("Credits", "savings", "invoices_credit", "invoices.view_credit"),
            Page("Card payments", "credit_card", "invoices_cardattempt", "invoices.view_cardattempt"),
            Page("Calls to the outside", "call_made", "invoices_outsidecall", "invoices.view_outsidecall"),
        ),
    ),
    (
        "Accounts",
        (
            Page("Accounts", "account_balance_wallet", "accounts_paymentaccount", "accounts.view_paymentaccount"),
            Page("Partners", "handshake", "accounts_partner", "accounts.view_partner"),
        ),
    ),
    (
        "Staging",
        (
            Page("Backlog", "inbox", "payments_paymentstaging", "payments.view_paymentstaging"),
            Page("Batches", "stacks", "payments_stagingprocesslog", "payments.view_stagingprocesslog"),
        ),
    ),
    (
        "Webhooks",
        (
            Page("Channels", "hub", "payments_channel", "payments.view_channel"),
            Page("Requests", "webhook", "payments_webhookreceipt", "payments.view_webhookreceipt"),
            Page("Signature doctor", "stethoscope", "payments_signaturedoctor", "payments.diagnose_signature"),
        ),
    ),
    (
        "Events",
        (
            Page("Outbox", "outbox", "outbox_outboxevent", "outbox.view_outboxevent"),
            Page("Replays", "replay", "outbox_outboxreplay", "outbox.view_outboxreplay"),
        ),
    ),
    (
        "Operations",
        (
            Page("Performance", "monitoring", "measurements_measurement", "measurements.view_measurement"),
            Page("Partitions", "calendar_month", "payments_partitionarchive", "payments.view_partitionarchive"),
            Page(
                "Approvals",
                "how_to_reg",
                "approvals_approvalrequest",
                "approvals.view_approvalrequest",
                approvals_waiting,
            ),
            Page("Saved views", "bookmark", "savedviews_savedview", "savedviews.view_savedview"),
            Page("Notes", "sticky_note_2", "notes_note", "notes.view_note"),
            Page("Attached files", "attach_file", "notes_attachment", "notes.view_attachment"),
            Page("Job runs", "play_circle", "jobs_jobrun", "jobs.view_jobrun"),
            Page(
                "Invariants",
                "fact_check",
                "invariants_invariantoutcome",
                "invariants.view_invariantoutcome",
            ),
            Page("Audit", "history_edu", "audit_auditentry", "audit.view_auditentry"),
            Page("Pruned history", "auto_delete", "audit_auditretirement", "audit.view_auditretirement"),
            Page("Schedule", "schedule", "django_celery_beat_periodictask", "django_celery_beat.view_periodictask"),
        ),
    ),
    (
        "Access",
        (
            Page("Users", "person", "auth_user", "auth.view_user"),
            Page("Groups", "group", "auth_group", "auth.view_group"),
            Page("API clients", "api", "accounts_apiclient", "accounts.view_apiclient"),
            Page("API keys", "key", "accounts_apikey", "accounts.view_apikey"),
        ),
    ),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar for this person; a group of which they may see nothing is left out."""
    overview = {"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}
    groups: list[dict[str, Any]] = [{"title": "", "items": [overview]}]
    for title, pages in GROUPS:
        entries = [entry for page in pages if (entry := page.entry(request)) is not None]
        if entries:
            groups.append({"title": title, "items": entries})
    return groups
