"""Accounts: found, understood, locked and set right; what is wrong with them, and the list of all that are locked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from accounts import operations
from accounts.admin.filters import LockFilter, MethodFilter, OpenFilter
from accounts.admin.payeractions import PayerActions
from accounts.admin.payerfacts import facts_of, fees_table, gates_table, identities_table, locks_table, state_of
from accounts.admin.payerforms import NewAccountForm
from accounts.exports import locked_accounts
from accounts.models import AccountFee, AccountLock, LedgerIdentity, PaymentAccount
from accounts.panels import registered_panels
from kernel.adminsite import (
    Confirmation,
    Facts,
    Panel,
    Related,
    confirmed_action,
    moment_column,
    record_address,
    record_link,
)
from kernel.restapi.exports import csv_response

LOCKS_SHOWN = 50


@admin.register(PaymentAccount)
class PaymentAccountAdmin(PayerActions):
    list_display = ("account_number", "name_shown", "method", "state", "opened")
    list_display_links = ("account_number", "name_shown")
    list_filter = (LockFilter, MethodFilter, OpenFilter)
    list_before_template = "accounts/admin/accounts_intro.html"
    search_fields = ("^account_number", "name", "=prepaid_account")
    search_help_text = "Beginning of the account number, a part of the name, or a prepaid account"
    ordering = ("-id",)
    list_title = "Accounts"
    intro = (
        "Everybody who pays: how, and whether anything stands in the way. A locked account orders nothing until what "
        "bounced or is overdue is paid, or staff lift the lock with a reason."
    )
    empty_text = "No account yet. Partners open accounts over the API, and staff open one here."
    story_empty = "What staff and partners change about this account will appear here, with who and why."
    opened = moment_column("created_at", "Opened")
    actions_list = ("open_account",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        accounts: Any = super().get_queryset(request)
        return accounts.with_state()

    def get_urls(self) -> list[URLPattern]:
        export = path(
            "locked.csv", self.admin_site.admin_view(self.export_locked), name="accounts_paymentaccount_locked"
        )
        return [export, *super().get_urls()]

    def export_locked(self, request: HttpRequest) -> HttpResponseBase:
        """Every account that is locked now, with the cause, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return csv_response(locked_accounts(), f"locked-accounts-{timezone.now():%Y-%m-%d}", from_replica=False)

    @display(description="Name")
    def name_shown(self, account: PaymentAccount) -> str:
        return f"{account.name}, {account.branch_name}" if account.branch_name else account.name

    @display(description="Pays by")
    def method(self, account: PaymentAccount) -> str:
        return account.get_payment_method_display()

    @display(description="State")
    def state(self, account: PaymentAccount) -> SafeString:
        return state_of(account)

    def facts(self, record: PaymentAccount) -> Sequence[Facts]:
        return facts_of(record)

    def panels(self, request: HttpRequest, record: PaymentAccount) -> Sequence[Panel]:
        locks = list(AccountLock.objects.filter(account=record).order_by("-locked_at", "-id")[:LOCKS_SHOWN])
        # Those that stand come first, whenever they were set.
        locks.sort(key=lambda lock: not lock.is_live)
        identities = LedgerIdentity.objects.filter(account=record).defer("bank_account_number").order_by("-id")
        fees = AccountFee.objects.filter(account=record).select_related("product", "service_fee_code")
        own = [
            Panel("What it may order by now", gates_table(record, timezone.now()), order=10),
            Panel("Locks", locks_table(locks), order=20, anchor="locks"),
            Panel("In the external ledger", identities_table(list(identities)), order=30, anchor="ledger"),
            Panel("Charged differently", fees_table(fees.order_by("product_id")), order=40, anchor="fees"),
        ]
        # What apps above show stands between the locks and the plumbing, unless its order says otherwise.
        upper = [(panel, panel.render(request, record)) for panel in registered_panels()]
        return own + [Panel(panel.title, content, order=panel.order) for panel, content in upper if content]

    def related(self, record: PaymentAccount) -> Sequence[Related]:
        clients = record.api_clients.order_by("name")
        links = [record_link(type(client), client.pk, client.name) for client in clients]
        return [Related("API clients that may use it, beside those that may use all", links, empty="None")]

    def page_context(self, request: HttpRequest, record: Any) -> dict[str, Any]:
        context = super().page_context(request, record)
        if record.live_locks and not record.is_closed:
            causes = [(lock.get_kind_display(), lock.cause) for lock in record.live_locks]
            context["guidance"] = {
                "sentence": "This account is locked: it orders nothing until what it owes is paid, or somebody lifts "
                "the lock with a reason.",
                "choices": causes,
            }
        return context

    @confirmed_action(
        description="Open an account",
        permission="accounts.add_paymentaccount",
        effect="Opens an account that may order at once, by the methods that are set up for it. Its number cannot be "
        "given to another one afterwards.",
        form=NewAccountForm,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def open_account(self, request: HttpRequest, record: None, confirmation: Confirmation) -> HttpResponse:
        opening = operations.open_account(
            confirmation.answers["account_number"],
            confirmation.answers["details"],
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        said = f"{opening.account} is open." if opening.is_new else "This account was opened before; nothing is new."
        self.message_user(request, said)
        return HttpResponseRedirect(record_address(PaymentAccount, opening.account.pk))
