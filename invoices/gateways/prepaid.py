"""The prepaid mainframe: one debit for each invoice number, its look-up, and the reversals of the read replica."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, NoReturn, Protocol
from urllib.parse import quote

from invoices.gateways.answers import Answer, AnswerMembers
from invoices.gateways.errors import GatewayDown, GatewayRefused
from invoices.gateways.http import OutsideSystem
from invoices.prepaidpayload import PrepaidAmountUnfit, amount_from_text, amount_text

KEYS_PER_QUESTION = 5000
# Five thousand rows of some 150 bytes, and as much again.
LONGEST_REPLICA_ANSWER = 2 * 1024 * 1024
DONE = "0000"


class PrepaidRefused(GatewayRefused):
    """The prepaid mainframe refused the debit and has taken nothing."""

    code = "prepaid-refused"
    title = "Refused by the prepaid account"


class PrepaidAccountInvalid(PrepaidRefused):
    """The prepaid mainframe does not know this account."""

    code = "prepaid-account-invalid"
    title = "Prepaid account unknown"
    next_step = "Correct the prepaid account of the payment account, or choose another payment method."


class PrepaidAccountClosed(PrepaidRefused):
    """The prepaid account is closed."""

    code = "prepaid-account-closed"
    title = "Prepaid account closed"
    next_step = "Choose another payment method; the account's holder can ask the help desk of the prepaid accounts."


class PrepaidUserRevoked(PrepaidRefused):
    """The user may no longer draw from the prepaid account."""

    code = "prepaid-user-revoked"
    title = "Prepaid user revoked"
    next_step = "Let the account's holder restore the user, or choose another payment method."


class PrepaidAccountRevoked(PrepaidRefused):
    """The prepaid account has been revoked."""

    code = "prepaid-account-revoked"
    title = "Prepaid account revoked"
    next_step = "Choose another payment method; the account's holder can ask the help desk of the prepaid accounts."


class PrepaidFundsInsufficient(PrepaidRefused):
    """The prepaid account does not hold enough for this debit."""

    code = "prepaid-funds-insufficient"
    title = "Prepaid funds insufficient"
    next_step = "Let the account's holder pay in, or choose another payment method."


class PrepaidUnavailable(GatewayDown):
    """The prepaid mainframe is closed for now, as it says itself, and has taken nothing."""

    code = "prepaid-unavailable"
    title = "Prepaid mainframe closed for now"


REFUSALS: Mapping[str, type[PrepaidRefused]] = {
    "5": PrepaidAccountInvalid,
    "20": PrepaidAccountClosed,
    "21": PrepaidUserRevoked,
    "48": PrepaidAccountRevoked,
    "61": PrepaidFundsInsufficient,
}
CLOSED_FOR_NOW = "7"


@dataclass(frozen=True, slots=True)
class PrepaidDebit:
    """What to take from a prepaid account. `key` is the invoice's number: the same key never takes twice.

    `amount` is the sum of the lines' totals in dollars, without service fee and GST (invoices/prepaidpayload.py), from
    where `fee_code` and `remarks` are too.
    """

    key: str
    prepaid_user_id: str
    prepaid_account: str
    amount: Decimal
    fee_code: str
    remarks: str = ""
    folio: str = ""


@dataclass(frozen=True, slots=True)
class PrepaidReceipt:
    """A debit that was made. `amount` is what was asked for; what the mainframe added by fee code is not in it."""

    key: str
    receipt_number: str
    amount: Decimal
    debited_at: datetime
    prepaid_account: str


@dataclass(frozen=True, slots=True)
class PrepaidReversal:
    """A row of the read replica whose quantity is -1: the help desk has given a debit back."""

    key: str
    amount: Decimal
    reversed_at: datetime
    prepaid_account: str


class PrepaidGateway(Protocol):
    """What the invoices need of the prepaid mainframe."""

    def debit(self, debit: PrepaidDebit) -> PrepaidReceipt:
        """Takes the amount, once for each key. Raises PrepaidRefused, GatewayDown, OutcomeUnknown."""

    def find_debit(self, key: str) -> PrepaidReceipt | None:
        """The debit with this key, None when the mainframe has none. Repeated by itself. Raises GatewayDown."""

    def find_reversals(self, keys: Sequence[str]) -> list[PrepaidReversal]:
        """The reversals of any number of debits, asked for 5,000 keys at a time. Raises GatewayDown."""


class HttpPrepaidGateway:
    """A PrepaidGateway that speaks HTTP."""

    def __init__(self, system: OutsideSystem) -> None:
        self._system = system

    def debit(self, debit: PrepaidDebit) -> PrepaidReceipt:
        amount = amount_text(debit.amount)
        answer = self._system.write(
            "/api/debits",
            {
                "key": debit.key,
                "user_id": debit.prepaid_user_id,
                "account": debit.prepaid_account,
                "amount": amount,
                "rate": amount,
                "quantity": 1,
                "fee_code": debit.fee_code,
                "remarks": debit.remarks,
                "folio": debit.folio,
            },
            key=debit.key,
        )
        if answer.is_refusal:
            _raise_refusal(answer)
        return answer.read_as(lambda body: _receipt(body, debit.key, debit=debit))

    def find_debit(self, key: str) -> PrepaidReceipt | None:
        if not key:
            raise ValueError("The key is empty.")
        answer = self._system.read(f"/api/debits/{quote(key, safe='')}")
        if answer.is_missing:
            return None
        return answer.read_as(lambda body: _receipt(body, key))

    def find_reversals(self, keys: Sequence[str]) -> list[PrepaidReversal]:
        found: list[PrepaidReversal] = []
        for start in range(0, len(keys), KEYS_PER_QUESTION):
            asked = keys[start : start + KEYS_PER_QUESTION]
            # Too many for an address: the question is posted, and changes nothing.
            answer = self._system.read(
                "/replica/reversals", {"keys": list(asked)}, longest_answer=LONGEST_REPLICA_ANSWER
            )
            found += answer.read_as(partial(_reversals, asked=frozenset(asked)))
        return found


def _raise_refusal(answer: Answer) -> NoReturn:
    detail = f"The prepaid mainframe refused (fault {answer.fault}): {answer.reason}"
    if answer.fault == CLOSED_FOR_NOW:
        raise PrepaidUnavailable(detail, retry_after_seconds=60)
    raise REFUSALS.get(answer.fault, PrepaidRefused)(detail, fault=answer.fault)


def _receipt(body: Mapping[str, Any], key: str, *, debit: PrepaidDebit | None = None) -> PrepaidReceipt:
    """Raises ValueError where it is not the debit that was asked for."""
    members = AnswerMembers(body)
    members.expect("return_code", DONE)
    members.expect("key", key)
    receipt = PrepaidReceipt(
        key=key,
        receipt_number=members.text("receipt_number"),
        amount=_cents(members, "amount"),
        debited_at=members.moment("debited_at"),
        prepaid_account=members.text("account"),
    )
    if not receipt.receipt_number:
        raise ValueError("it has no receipt number")
    if debit is not None and (receipt.amount, receipt.prepaid_account) != (debit.amount, debit.prepaid_account):
        raise ValueError(f"it says {receipt.amount} from {receipt.prepaid_account}, which is not what was asked for")
    return receipt


def _reversals(body: Mapping[str, Any], *, asked: frozenset[str]) -> list[PrepaidReversal]:
    found = []
    for row in AnswerMembers(body).objects("rows"):
        members = AnswerMembers(row)
        if members.text("key") not in asked:
            raise ValueError("a row has a key that nobody asked for")
        if members.integer("quantity") != -1:
            raise ValueError("a row is no reversal")
        found.append(
            PrepaidReversal(
                key=members.text("key"),
                amount=_cents(members, "amount"),
                reversed_at=members.moment("reversed_at"),
                prepaid_account=members.text("account"),
            )
        )
    return found


def _cents(members: AnswerMembers, name: str) -> Decimal:
    try:
        return amount_from_text(members.text(name))
    except PrepaidAmountUnfit as error:
        raise ValueError(f"{name}: {error.detail}") from None
