"""The card gateway: the payment page that a payer is sent to, the return from there, orders and refunds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol
from urllib.parse import quote
from uuid import UUID

from invoices.gateways.answers import AnswerMembers
from invoices.gateways.cardlink import CardOrder, CardReturn, RevenueLine, payment_link, verify_return
from invoices.gateways.errors import GatewayRefused
from invoices.gateways.http import OutsideSystem

NO_MONEY = Decimal("0.00")


class CardRefundRefused(GatewayRefused):
    """The card gateway refused the refund and has sent nothing back."""

    code = "card-refund-refused"
    title = "Card refund refused"
    next_step = "Read the gateway's reason; a refund can be asked for again once its cause is gone."


class CardOrderStatus(StrEnum):
    """Where an order stands at the gateway."""

    # No payment page was ever opened for this number.
    NONE = "NONE"
    # The page was opened, the payer has not decided.
    PENDING = "PNDNG"
    # The payer paid, the card network has not answered.
    IN_PROGRESS = "INPRG"
    # The money is taken.
    PAID = "PAID"
    # The money is taken and booked.
    COMPLETE = "CMPLT"
    # The card was declined or the payer gave up.
    DECLINED = "DECLINED"

    @property
    def has_money(self) -> bool:
        return self in (CardOrderStatus.PAID, CardOrderStatus.COMPLETE)


class RefundLineStatus(StrEnum):
    """Where the booking of one refunded revenue line stands."""

    IN_PROGRESS = "INPRG"
    PAID = "PAID"
    COMPLETE = "CMPLT"
    # The ledger refused the line, or the card network did: somebody has to act.
    REJECTED = "RJCT"
    DECLINED = "DECLINED"


@dataclass(frozen=True, slots=True)
class CardRefund:
    """What to pay back of an order. `key` makes it unique: the same key never pays back twice.

    `lines` are the order's revenue lines that are given back, with the amounts to give back; their sum is `amount`.
    """

    reference: str
    key: str
    amount: Decimal
    lines: tuple[RevenueLine, ...]


@dataclass(frozen=True, slots=True)
class RefundLineState:
    number: int
    amount: Decimal
    status: RefundLineStatus


@dataclass(frozen=True, slots=True)
class CardRefundState:
    """A refund as the gateway knows it. `error` is its sentence when a line was rejected or declined."""

    reference: str
    key: str
    amount: Decimal
    refund_number: str
    refunded_at: datetime
    lines: tuple[RefundLineState, ...]
    error: str = ""

    @property
    def is_rejected(self) -> bool:
        return any(line.status in (RefundLineStatus.REJECTED, RefundLineStatus.DECLINED) for line in self.lines)

    @property
    def is_paid(self) -> bool:
        """Whether every line is paid or further: the payer has the money."""
        return all(line.status in (RefundLineStatus.PAID, RefundLineStatus.COMPLETE) for line in self.lines)

    @property
    def is_complete(self) -> bool:
        """Whether every line is booked too."""
        return all(line.status is RefundLineStatus.COMPLETE for line in self.lines)


@dataclass(frozen=True, slots=True)
class CardOrderState:
    """An order as the gateway knows it. Everything but `reference` and `status` is empty while there is none."""

    reference: str
    status: CardOrderStatus
    amount: Decimal = NO_MONEY
    currency: str = ""
    transaction_id: UUID | None = None
    receipt_number: str = ""
    authorization: str = ""
    paid_at: datetime | None = None
    refunds: tuple[CardRefundState, ...] = ()


class CardGateway(Protocol):
    """What the invoices need of a card gateway."""

    def payment_link(self, order: CardOrder) -> str:
        """The address of the gateway's payment page for this order. Raises CardOrderInvalid. Speaks to nobody."""

    def verify_return(self, query: str) -> CardReturn:
        """What the gateway says in the query string of the payer's return. Raises ReturnMalformed and HashWrong."""

    def find_order(self, reference: str) -> CardOrderState:
        """What became of an order, status NONE when the gateway has none. Repeated by itself. Raises GatewayDown."""

    def refund(self, refund: CardRefund) -> CardRefundState:
        """Asks for money back, once for each key. Raises CardRefundRefused, GatewayDown, OutcomeUnknown."""

    def find_refund(self, reference: str, key: str) -> CardRefundState | None:
        """What became of a refund, None when the gateway has none under this key. Raises GatewayDown."""


class HttpCardGateway:
    """A CardGateway that speaks HTTP. `secret` is shared with the gateway and keys the hashes of links and returns."""

    def __init__(self, system: OutsideSystem, *, page_url: str, secret: str) -> None:
        self._system = system
        self._page_url = page_url
        self._secret = secret.encode()

    def payment_link(self, order: CardOrder) -> str:
        return payment_link(order, page_url=self._page_url, secret=self._secret)

    def verify_return(self, query: str) -> CardReturn:
        return verify_return(query, secret=self._secret)

    def find_order(self, reference: str) -> CardOrderState:
        answer = self._system.read(f"/api/orders/{_segment(reference)}")
        if answer.is_missing:
            return CardOrderState(reference, CardOrderStatus.NONE)
        return answer.read_as(lambda body: _order_state(body, reference))

    def refund(self, refund: CardRefund) -> CardRefundState:
        check_refund(refund)
        answer = self._system.write(
            f"/api/orders/{_segment(refund.reference)}/refunds",
            {
                "amount": f"{refund.amount:.2f}",
                "lines": [
                    {"number": line.number, "gl": line.gl, "amount": f"{line.amount:.2f}"} for line in refund.lines
                ],
            },
            key=refund.key,
        )
        if answer.is_refusal:
            raise CardRefundRefused(f"The card gateway refused the refund: {answer.reason}", fault=answer.fault)
        return answer.read_as(lambda body: _refund_state(body, refund.reference, refund.key, amount=refund.amount))

    def find_refund(self, reference: str, key: str) -> CardRefundState | None:
        answer = self._system.read(f"/api/orders/{_segment(reference)}/refunds/{_segment(key)}")
        if answer.is_missing:
            return None
        return answer.read_as(lambda body: _refund_state(body, reference, key))


def check_refund(refund: CardRefund) -> None:
    """Raises ValueError when the lines do not make up the amount: a defect of the caller, found before it costs."""
    if not refund.lines or any(line.amount <= 0 for line in refund.lines):
        raise ValueError("A refund names at least one line, each with an amount above zero.")
    if sum((line.amount for line in refund.lines), NO_MONEY) != refund.amount:
        raise ValueError("The lines of a refund should make up its amount.")
    if any(line.amount.as_tuple().exponent < -2 for line in refund.lines):  # type: ignore[operator]
        raise ValueError("The lines of a refund should be whole cents.")


def _segment(text: str) -> str:
    if not text or text in (".", ".."):
        raise ValueError("A reference or a key is empty.")
    return quote(text, safe="")


def _order_state(body: Mapping[str, Any], reference: str) -> CardOrderState:
    members = AnswerMembers(body)
    members.expect("reference", reference)
    return CardOrderState(
        reference=reference,
        status=members.choice("status", CardOrderStatus),
        amount=members.amount("amount"),
        currency=members.text("currency"),
        transaction_id=members.uuid("transaction_id"),
        receipt_number=members.text("receipt_number"),
        authorization=members.text("authorization"),
        paid_at=members.moment_or_none("paid_at"),
        refunds=tuple(_refund_state(refund, reference) for refund in members.objects("refunds")),
    )


def _refund_state(
    body: Mapping[str, Any], reference: str, key: str | None = None, *, amount: Decimal | None = None
) -> CardRefundState:
    """Raises ValueError where it is not the refund that was asked for."""
    members = AnswerMembers(body)
    members.expect("reference", reference)
    if key is not None:
        members.expect("key", key)
    state = CardRefundState(
        reference=reference,
        key=members.text("key"),
        amount=members.amount("amount"),
        refund_number=members.text("refund_number"),
        refunded_at=members.moment("refunded_at"),
        lines=tuple(_line_states(members.objects("lines"))),
        error=members.text("error"),
    )
    if amount is not None and state.amount != amount:
        raise ValueError(f"it says {state.amount} and not {amount}")
    if sum((line.amount for line in state.lines), NO_MONEY) != state.amount:
        raise ValueError("the lines do not make up its amount")
    return state


def _line_states(lines: Iterable[Mapping[str, Any]]) -> Iterable[RefundLineState]:
    for line in lines:
        members = AnswerMembers(line)
        yield RefundLineState(
            members.integer("number"), members.amount("amount"), members.choice("status", RefundLineStatus)
        )
