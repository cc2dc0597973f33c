"""What is answered about accounts: what is agreed, why it is locked, what it owes, by which methods it may order."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import F, Q, Sum

from accounts.gates import Gate, refusals
from accounts.models import AccountLock, LedgerIdentity, PaymentAccount
from invoices.api.addresses import account_path
from invoices.api.methods import OURS_ALONE
from invoices.methods import PaymentMethod, all_methods
from invoices.models import Credit, Invoice
from invoices.states import OPEN_STATUSES, InvoiceStatus, MethodCode

ZERO = Decimal("0.00")
# What the row of an open invoice still owes, as `balances.Facts.owing` works it out.
OWING = F("total") - F("paid_amount") - F("refunded_amount") - F("credited_amount") - F("manual_amount")


def account_answer(account: PaymentAccount) -> dict[str, Any]:
    """One account as lists have it."""
    path = account_path(account.account_number)
    return {
        "accountNumber": account.account_number,
        "name": account.name,
        "branchName": account.branch_name,
        "paymentMethod": account.payment_method,
        "bcolUserId": account.prepaid_user_id,
        "bcolAccountNumber": account.prepaid_account,
        "billable": account.billable,
        "eftEnabled": account.eft_enabled,
        "journalRestricted": account.journal_restricted,
        "statementFrequency": account.statement_frequency,
        "padActivatesAt": account.pad_activates_at,
        "createdAt": account.created_at,
        "closedAt": account.closed_at,
        "links": {"self": path, "credits": f"{path}/credits"},
    }


def whole_account_answer(account: PaymentAccount, *, at: datetime) -> dict[str, Any]:
    """One account with its state; read it `with_state`."""
    loaded: Any = account
    locks: list[AccountLock] = loaded.live_locks
    identities: dict[str, LedgerIdentity] = {identity.payment_method: identity for identity in loaded.live_identities}
    return account_answer(account) | {
        "locks": [_lock_answer(lock) for lock in locks],
        "methods": [
            _method_answer(
                method,
                refusals(account, method.code, locks=locks, identity=identities.get(method.code), at=at),
            )
            for method in all_methods()
            if method.code not in OURS_ALONE | {MethodCode.NO_FEE.value, MethodCode.CC.value}
        ],
        "balances": _balances(account),
    }


def _balances(account: PaymentAccount) -> dict[str, Any]:
    """What the open invoices owe and what stands to the account's credit, one query each."""
    owing = (
        Invoice.objects.filter(account=account, status__in=sorted(OPEN_STATUSES))
        .values("payment_method")
        .annotate(owed=Sum(OWING), overdue=Sum(OWING, filter=Q(status=InvoiceStatus.OVERDUE)))
        .order_by("payment_method")
    )
    rows = list(owing)
    credit = (
        Credit.objects.with_money_left().filter(account=account).aggregate(left=Sum(F("amount") - F("applied_amount")))
    )
    return {
        "currency": "CAD",
        "owing": sum((row["owed"] for row in rows), ZERO),
        "overdue": sum((row["overdue"] or ZERO for row in rows), ZERO),
        "credit": credit["left"] or ZERO,
        "byMethod": [
            {"paymentMethod": row["payment_method"], "owing": row["owed"], "overdue": row["overdue"] or ZERO}
            for row in rows
        ],
    }


def _lock_answer(lock: AccountLock) -> dict[str, Any]:
    return {
        "kind": lock.kind,
        "cause": lock.cause,
        "invoiceId": lock.invoice_id,
        "lockedAt": lock.locked_at,
    }


def _method_answer(method: PaymentMethod, gates: list[Gate]) -> dict[str, Any]:
    return {
        "paymentMethod": method.code,
        "title": method.title,
        "mayOrder": not gates,
        "gates": [{"code": gate.code, "message": gate.message, "nextStep": gate.next_step} for gate in gates],
    }
