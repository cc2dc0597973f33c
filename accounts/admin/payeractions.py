"""What can be done about an account on its page: each says its effect, and is offered only when it is possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers

from accounts import operations
from accounts.admin.payerforms import (
    AccountForm,
    BankForm,
    FeeForm,
    FeeRemovalForm,
    LiftForm,
    LockForm,
    MethodForm,
    RevealForm,
    TermsForm,
)
from accounts.models import AccountFee, AccountLock, BankDetails, LedgerIdentity, PaymentAccount
from accounts.operations import AccountDetails, NoSuchAccountFee, NoSuchIdentity, NoSuchLock
from accounts.states import IdentityStatus, Method, default_statement_frequency
from kernel.adminsite import Confirmation, RecordAdmin, confirmed_action, record_address


def _pad(account: Any) -> Any:
    """The live PAD identity of an account from `with_state()`, or None."""
    return next((found for found in account.live_identities if found.payment_method == Method.PAD), None)


def _status(account: Any) -> str:
    identity = _pad(account)
    return "" if identity is None else identity.status


# When an action is possible; one that is not named here is possible for every open account.
POSSIBLE: Mapping[str, Callable[[Any], bool]] = {
    "lift_lock": lambda account: bool(account.live_locks),
    "accept_terms": lambda account: _pad(account) is not None and account.pad_terms_accepted_at is None,
    "activate_debits": lambda account: (
        account.pad_terms_accepted_at is not None and _status(account) == IdentityStatus.PENDING_PAD_ACTIVATION
    ),
    "freeze_debits": lambda account: (
        _pad(account) is not None and _status(account) != IdentityStatus.FREEZE and not account.live_locks
    ),
    "unfreeze_debits": lambda account: _status(account) == IdentityStatus.FREEZE and not account.live_locks,
    "reveal": lambda account: any(identity.bank_number for identity in account.live_identities),
    "remove_fee": lambda account: account.fees.exists(),
}


def _lock_effect(account: Any) -> str:
    debits = " With the NSF lock its debits are frozen too." if _pad(account) is not None else ""
    return (
        "It orders nothing any more by any method, save that staff may and that what it owes can be paid by card, "
        f"until the lock is lifted.{debits} The cause is kept, and shown to whoever is refused."
    )


def _bank_effect(account: Any) -> str:
    identity = _pad(account)
    if identity is None:
        return "It can be debited once the terms are accepted and the ledger knows it. The number is kept encrypted."
    frozen = " It stays frozen." if identity.status == IdentityStatus.FREEZE else ""
    return (
        "Later debits are drawn from the new bank account; the old details are retired and stay on record. What the "
        f"ledger knows of the account stays.{frozen}"
    )


def _close_effect(account: Any) -> str:
    return (
        f"{account} orders nothing any more, and its identities in the ledger are retired. It cannot be opened again; "
        "what it was charged stays as it is. Refused while it is locked or frozen, or has something open."
    )


class PayerActions(RecordAdmin):
    """The actions of an account's page."""

    # As menus, so that they stand in one line; the page's side lists them all with their effects.
    actions_detail = (
        "lift_lock",
        "lock",
        {
            "title": "Debits",
            "icon": "account_balance",
            "items": [
                "set_bank_details",
                "accept_terms",
                "activate_debits",
                "freeze_debits",
                "unfreeze_debits",
                "reveal",
            ],
        },
        {
            "title": "Change",
            "icon": "edit",
            "items": ["change_method", "change_details", "set_fee", "remove_fee", "close"],
        },
    )

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Read once a request: the page and the buttons above and beside it look at the same account."""
        kept: dict[str, Any] = vars(request).setdefault("_accounts", {})
        if object_id not in kept:
            kept[object_id] = super().get_object(request, object_id, from_field)
        return kept[object_id]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        actions = super().get_actions_detail(request, object_id)
        account = self.get_object(request, str(object_id))
        if account is None:
            return actions
        return [action for action in actions if _is_possible(action, account)]

    @confirmed_action(
        description="Lock",
        permission="accounts.lock_account",
        effect=_lock_effect,
        asks_reason=False,
        form=LockForm,
        icon="lock",
    )
    def lock(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        locking = operations.lock_by_hand(
            account.pk, **confirmation.answers, actor=confirmation.actor, at=confirmation.at
        )
        return "The account is locked." if locking.is_new else "It is locked so already; the first cause stands."

    @confirmed_action(
        description="Lift a lock",
        permission="accounts.lift_lock",
        effect="The account may order again at once, unless another lock stands. With the NSF lock its debits thaw "
        "too. Nothing that it owes is paid by this.",
        form=LiftForm,
        initial=lambda account: {"kind": account.live_locks[0].kind if account.live_locks else None},
        icon="lock_open",
    )
    def lift_lock(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        lock = AccountLock.objects.live().filter(account=account, kind=confirmation.answers["kind"]).first()
        if lock is None:
            raise NoSuchLock("No such lock stands: choose the one that does.")
        operations.lift_lock(lock.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return "The lock is lifted."

    @confirmed_action(
        description="Set bank details",
        permission="accounts.set_bank_details",
        effect=_bank_effect,
        form=BankForm,
        icon="account_balance",
    )
    def set_bank_details(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        identity = operations.set_bank_details(
            account.pk,
            BankDetails(**confirmation.answers),
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return f"The bank details are set: {identity.masked_bank_account}."

    @confirmed_action(
        description="Accept PAD terms",
        permission="accounts.accept_pad_terms",
        effect=lambda account: (
            f"The waiting time begins: the first debit may be drawn after {settings.PAD_CONFIRMATION_DAYS} whole days. "
            "Who accepted is kept, and cannot be changed."
        ),
        form=TermsForm,
        icon="handshake",
    )
    def accept_terms(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        accepted = operations.accept_pad_terms(
            account.pk,
            **confirmation.answers,
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        first = accepted.pad_activates_at.astimezone(settings.LEDGER_ZONE) if accepted.pad_activates_at else None
        return f"The terms are accepted; the first debit may be drawn on {first:%Y-%m-%d}."

    @confirmed_action(
        description="Activate debits",
        permission="accounts.accept_pad_terms",
        effect="Invoices may be paid by pre-authorised debit from now on. Happens by itself within the hour once the "
        "waiting time is over; refused before.",
        icon="play_arrow",
    )
    def activate_debits(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        operations.activate_pad(account.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return "Debits are active."

    @confirmed_action(
        description="Freeze debits",
        permission="accounts.freeze_identity",
        effect="Nothing is debited and no invoice may be paid by debit until it is unfrozen. Other methods go on.",
        icon="ac_unit",
    )
    def freeze_debits(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        identity = _identity(account, Method.PAD)
        operations.freeze_identity(
            identity.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at
        )
        return "Debits are frozen."

    @confirmed_action(
        description="Unfreeze debits",
        permission="accounts.freeze_identity",
        effect="Debits go on: at once, or when their waiting time is over.",
        icon="mode_heat",
    )
    def unfreeze_debits(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        identity = _identity(account, Method.PAD)
        operations.unfreeze_identity(
            identity.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at
        )
        return "Debits are no longer frozen."

    @confirmed_action(
        description="Change default method",
        permission="accounts.change_paymentaccount",
        effect=lambda account: (
            f"New invoices are paid by the chosen method unless they say otherwise; now by "
            f"{account.get_payment_method_display()}. Statements become as usual for it: "
            f"{default_statement_frequency(Method.EFT).lower()} for EFT, else weekly. Invoices that exist keep theirs."
        ),
        form=MethodForm,
        initial=lambda account: {"method": account.payment_method},
        icon="swap_horiz",
    )
    def change_method(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        changed = operations.change_default_method(
            account.pk,
            confirmation.answers["method"],
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return f"It pays by {changed.get_payment_method_display()} from now on."

    @confirmed_action(
        description="Change details",
        permission="accounts.change_paymentaccount",
        effect="Name, branch, what it may pay by and its statements become what you fill in. Only what changed is "
        "written, with before and after.",
        form=AccountForm,
        initial=lambda account: (
            {field: getattr(account, field) for field in AccountForm.base_fields if field != "journal_gl"}
            | {"journal_gl": account.journal_gl_id}
        ),
        icon="edit",
    )
    def change_details(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        details: AccountDetails = confirmation.answers["details"]
        operations.change_account(
            account.pk, details, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at
        )
        return "The account is changed."

    @confirmed_action(
        description="Charge differently",
        permission="accounts.set_account_fee",
        effect="New invoices of this account for the product are charged so. Invoices that exist keep their amounts.",
        form=FeeForm,
        icon="price_change",
    )
    def set_fee(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        service_fee = confirmation.answers["service_fee_code"]
        operations.set_account_fee(
            account.pk,
            product_code=confirmation.answers["product"].pk,
            applies_filing_fees=confirmation.answers["applies_filing_fees"],
            service_fee_code=None if service_fee is None else service_fee.pk,
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return "The account is charged so from now on."

    @confirmed_action(
        description="Charge as usual again",
        permission="accounts.set_account_fee",
        effect="New invoices of this account for the product are charged as everybody's. Invoices that exist keep "
        "their amounts.",
        form=FeeRemovalForm,
        icon="undo",
    )
    def remove_fee(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        fee = AccountFee.objects.of(account.pk, confirmation.answers["product"].pk)
        if fee is None:
            raise NoSuchAccountFee("The account is charged as everybody is for this product already.")
        operations.remove_account_fee(fee.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return "The account is charged as usual again."

    @confirmed_action(
        description="Show the bank account number",
        permission="accounts.reveal_bank_account",
        effect="The next page shows the number whole, once. That you looked, when and why, is kept in the audit.",
        form=RevealForm,
        initial=lambda account: {
            "method": next((i.payment_method for i in account.live_identities if i.bank_number), None)
        },
        icon="visibility",
    )
    def reveal(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> HttpResponse:
        identity = _identity(account, confirmation.answers["method"])
        number = operations.reveal_bank_account(
            identity.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at
        )
        return bank_account_shown_once(self, request, account, number)

    @confirmed_action(
        description="Close",
        permission="accounts.close_account",
        effect=_close_effect,
        icon="block",
    )
    def close(self, request: HttpRequest, account: PaymentAccount, confirmation: Confirmation) -> str:
        operations.close_account(account.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return "The account is closed."


def _is_possible(action: Any, account: PaymentAccount) -> bool:
    name = action.method.original_function_name
    return not account.is_closed and POSSIBLE.get(name, lambda _: True)(account)


def _identity(account: PaymentAccount, method: str) -> LedgerIdentity:
    identity = LedgerIdentity.objects.of(account.pk, method)
    if identity is None:
        raise NoSuchIdentity("The account has no identity in the ledger for this method.")
    return identity


def bank_account_shown_once(
    model_admin: Any, request: HttpRequest, account: PaymentAccount, number: str
) -> HttpResponse:
    """The answer that shows a bank account number. It is in this answer alone: in no session, message or cache."""
    context = {
        **model_admin.admin_site.each_context(request),
        "title": "Bank account number",
        "opts": model_admin.opts,
        "account": account,
        "number": number,
        "back": record_address(PaymentAccount, account.pk),
    }
    response = TemplateResponse(request, "accounts/admin/bank_account_shown_once.html", context).render()
    add_never_cache_headers(response)
    return response
