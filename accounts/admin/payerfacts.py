"""What the page of an account shows: its facts, its locks, who it is in the ledger, and what it may order by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.gates import Gate, refusals
from accounts.models import AccountFee, AccountLock, LedgerIdentity, PaymentAccount
from accounts.states import WORDS, IdentityStatus, Method
from kernel.adminsite import Facts, badge, moment, table
from kernel.crypto import SecretUnreadable

NOTHING = "–"
# Staff's own, and the card by which a lock is paid off, are open to every account.
METHODS_SHOWN = [method for method in Method if method not in (Method.INTERNAL, Method.CC)]
STATUS_KINDS = {
    IdentityStatus.PENDING: "waiting",
    IdentityStatus.PENDING_PAD_ACTIVATION: "waiting",
    IdentityStatus.ACTIVE: "good",
    IdentityStatus.FREEZE: "bad",
    IdentityStatus.INACTIVE: "plain",
}


def state_of(account: Any) -> SafeString:
    """Badges for what matters first: closed, locked and why, waiting for the first debit, or open.

    The account comes from `with_state()`.
    """
    if account.is_closed:
        return badge("Closed", "plain")
    found = [badge(f"Locked: {lock.get_kind_display()}", "bad") for lock in account.live_locks]
    statuses = {identity.status for identity in account.live_identities}
    if not found and IdentityStatus.FREEZE in statuses:
        found.append(badge("Debits frozen", "bad"))
    if IdentityStatus.PENDING_PAD_ACTIVATION in statuses:
        found.append(badge("Waits for its first debit", "waiting"))
    return SafeString(" ".join(found)) if found else badge("Open", "good")


def facts_of(account: PaymentAccount) -> list[Facts]:
    """The customer, how it pays, and what it gets."""
    return [
        Facts(
            "Customer",
            [
                ("Account number", account.account_number),
                ("Name", account.name),
                ("Branch", account.branch_name),
                ("State", state_of(account)),
                ("Opened", moment(account.created_at)),
                *([("Closed", moment(account.closed_at))] if account.is_closed else []),
            ],
        ),
        Facts("How it pays", [("Default method", account.get_payment_method_display()), *_of_methods(account)]),
        Facts(
            "Statements",
            [
                ("Frequency", account.get_statement_frequency_display()),
                ("The customer is told of new ones", _yes(account.statement_notification_enabled)),
            ],
        ),
    ]


def _of_methods(account: PaymentAccount) -> list[tuple[str, Any]]:
    pairs: list[tuple[str, Any]] = [("EFT", "Enabled" if account.eft_enabled else "Not enabled")]
    if account.payment_method == Method.EJV or account.journal_gl_id is not None or account.journal_restricted:
        pairs += [
            ("Own general ledger code", str(account.journal_gl) if account.journal_gl_id is not None else NOTHING),
            ("New journal vouchers", "Refused" if account.journal_restricted else "Allowed"),
            ("Billed by us", _yes(account.billable)),
        ]
    if account.prepaid_account or account.prepaid_user_id:
        pairs += [("Prepaid account", account.prepaid_account), ("Prepaid user", account.prepaid_user_id)]
    if account.pad_terms_accepted_at is not None:
        pairs += [
            (
                "PAD terms accepted",
                format_html("{} by {}", moment(account.pad_terms_accepted_at), account.pad_terms_accepted_by),
            ),
            ("First debit", moment(account.pad_activates_at)),
        ]
    return pairs


def locks_table(locks: Sequence[AccountLock]) -> SafeString:
    """Live locks first, then the lifted ones with by whom and why."""
    return table(
        ("Lock and cause", "Locked", "Lifted"),
        [
            (
                format_html("<p>{}</p><p>{}</p>", _lock_badge(lock), _cause(lock)),
                format_html("{} by {}", moment(lock.locked_at), lock.locked_by),
                NOTHING
                if lock.is_live
                else format_html("{} by {}: {}", moment(lock.lifted_at), lock.lifted_by, lock.lifted_reason),
            )
            for lock in locks
        ],
        empty="It was never locked.",
    )


def _lock_badge(lock: AccountLock) -> SafeString:
    return badge(lock.get_kind_display(), "bad" if lock.is_live else "plain")


def _cause(lock: AccountLock) -> str:
    return lock.cause if lock.invoice_id is None else f"{lock.cause} (invoice {lock.invoice_id})"


def identities_table(identities: Sequence[LedgerIdentity]) -> SafeString:
    """Who the account is in the external ledger, with bank accounts by their last digits."""
    return table(
        ("Method", "Status", "In the ledger", "Bank account"),
        [
            (
                identity.get_payment_method_display(),
                format_html(
                    "{} since {}",
                    badge(identity.get_status_display(), STATUS_KINDS[IdentityStatus(identity.status)]),
                    moment(identity.status_since),
                ),
                " / ".join(filter(None, (identity.party, identity.ledger_account, identity.site))) or "Not known yet",
                bank_account(identity),
            )
            for identity in identities
        ],
        empty="The external ledger does not know it. Bank details, or the first order by online banking or EFT, change "
        "that.",
    )


def bank_account(identity: LedgerIdentity) -> str:
    """Bank, branch and the last digits; a page is shown also when the number cannot be read."""
    if not identity.bank_number:
        return NOTHING
    try:
        number = identity.masked_bank_account
    except SecretUnreadable:
        number = "cannot be read: its encryption key is missing"
    return f"{identity.bank_number} {identity.bank_branch_number} {number}"


def fees_table(fees: Iterable[AccountFee]) -> SafeString:
    """What the account is charged differently, product by product."""
    return table(
        ("Product", "Filing fees", "Service fee"),
        [
            (
                str(fee.product),
                "Charged" if fee.applies_filing_fees else "Not charged",
                str(fee.service_fee_code) if fee.service_fee_code else "The product's own",
            )
            for fee in fees
        ],
        empty="It is charged as everybody is.",
    )


def gates_table(account: Any, at: datetime) -> SafeString:
    """Method by method, whether it may order now, and if not why and what to do. From `with_state()`.

    What stands in the way of every method is said once, above.
    """
    identities = {identity.payment_method: identity for identity in account.live_identities}
    found = {
        method: refusals(account, method, locks=account.live_locks, identity=identities.get(method), at=at)
        for method in METHODS_SHOWN
    }
    everywhere = [gate for gate in found[Method.DIRECT_PAY] if all(gate in gates for gates in found.values())]
    if account.is_closed:
        return _said(everywhere)
    rows = [
        (
            WORDS[method.value],
            badge("Refused", "bad") if gates else badge("Yes", "good"),
            _said([gate for gate in gates if gate not in everywhere]) or ("As said above." if gates else ""),
        )
        for method, gates in found.items()
    ]
    heads = ("Method", "May order", "Why not, and what to do")
    return SafeString(_said(everywhere) + table(heads, rows))


def _said(gates: Sequence[Gate]) -> SafeString:
    return format_html_join("", "<p><b>{}</b> {}</p>", ((gate.message, gate.next_step) for gate in gates))


def _yes(is_so: bool) -> str:
    return "Yes" if is_so else "No"
