"""The simulated card gateway's orders and refunds."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.simulators.refusals import KeyTaken, Missing, Refusal

# Paid before this start, as its refund says; what its lines were is not known here.
EARLIER = "EARLIER"


def now_text() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class CardBook:
    """Orders by reference, each with the attempts to pay it and its refunds by key."""

    def __init__(self, *, settle_seconds: float, believes_earlier: bool = False) -> None:
        """`believes_earlier`: a refund of an order that is not in the book is taken for one of before this start."""
        self.settle_seconds = settle_seconds
        self.believes_earlier = believes_earlier
        self._lock = threading.RLock()
        self.orders: dict[str, dict[str, Any]] = {}
        self._last_receipt = 0

    def open_page(self, asked: dict[str, str]) -> dict[str, Any]:
        """The order of a payment link, which is pending from now on unless it is paid."""
        with self._lock:
            order = self.orders.get(asked["reference"])
            if order is None or order["status"] in ("PNDNG", "DECLINED", EARLIER):
                refunds = order["refunds"] if order else {}
                self.orders[asked["reference"]] = order = {
                    **asked,
                    "status": "PNDNG",
                    "receipt_number": "",
                    "authorization": "",
                    "decided_at": "",
                    "reason": "",
                    "settles_at": 0.0,
                    "refunds": refunds,
                }
            return order

    def decide(self, asked: dict[str, str], *, pays: bool, reason: str = "The payer gave up") -> dict[str, Any]:
        """Takes the money or does not. An order that is paid stays as it is."""
        with self._lock:
            order = self.open_page(asked)
            if order["status"] == "PAID":
                return order
            order["decided_at"] = now_text()
            if pays:
                self._last_receipt += 1
                order["status"] = "PAID"
                order["receipt_number"] = f"CARD{self._last_receipt:08d}"
                order["authorization"] = f"A{self._last_receipt:06d}"
                order["settles_at"] = time.monotonic() + self.settle_seconds
            else:
                order["status"], order["reason"] = "DECLINED", reason
            return order

    def order(self, reference: str) -> dict[str, Any]:
        with self._lock:
            order = self.orders.get(reference)
            if order is None or order["status"] == EARLIER:
                raise Missing("such order")
            is_paid = order["status"] == "PAID"
            return {
                "reference": reference,
                "status": "CMPLT" if is_paid and time.monotonic() >= order["settles_at"] else order["status"],
                "amount": order["amount"],
                "currency": order["currency"],
                "transaction_id": order["transaction"],
                "receipt_number": order["receipt_number"],
                "authorization": order["authorization"],
                "paid_at": order["decided_at"] if is_paid else "",
                "refunds": [self._shown(reference, refund) for refund in order["refunds"].values()],
            }

    def seen(self) -> list[str]:
        """The orders of this start."""
        with self._lock:
            return [reference for reference, order in self.orders.items() if order["status"] != EARLIER]

    def refund(self, reference: str, key: str, asked: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        with self._lock:
            order = self.orders.get(reference)
            if order is None and self.believes_earlier:
                self.orders[reference] = order = {"status": EARLIER, "refunds": {}}
            if order is None or order["status"] not in ("PAID", EARLIER):
                raise Refusal("not-paid", f"{reference} was never paid here.")
            known = order["refunds"].get(key)
            if known is not None:
                if known["asked"] != asked:
                    raise KeyTaken(key)
                return 200, self._shown(reference, known)
            self._check(order, asked)
            order["refunds"][key] = refund = {
                "key": key,
                "asked": asked,
                "number": f"RFND{sum(len(other['refunds']) for other in self.orders.values()) + 1:08d}",
                "refunded_at": now_text(),
                "accepted_at": time.monotonic(),
                "forced": "",
                "error": "",
            }
            return 201, self._shown(reference, refund)

    def find_refund(self, reference: str, key: str) -> dict[str, Any]:
        with self._lock:
            refund = self.orders.get(reference, {"refunds": {}})["refunds"].get(key)
            if refund is None:
                raise Missing("such refund")
            return self._shown(reference, refund)

    def force(self, reference: str, key: str, status: str, error: str) -> None:
        """Moves the booking of a refund by hand."""
        with self._lock:
            refund = self.orders[reference]["refunds"][key]
            refund["forced"], refund["error"] = status, error

    def _check(self, order: dict[str, Any], asked: dict[str, Any]) -> None:
        if order["status"] != EARLIER:
            self._check_lines(order, asked)
        if sum(Decimal(line["amount"]) for line in asked["lines"]) != Decimal(asked["amount"]):
            raise Refusal("sum-wrong", "The lines do not make up the amount.")

    def _check_lines(self, order: dict[str, Any], asked: dict[str, Any]) -> None:
        amounts = {}
        for part in order["revenue"].split("|"):
            number, gl, amount = part.split(":")
            amounts[int(number), gl] = Decimal(amount)
        for refund in order["refunds"].values():
            for line in refund["asked"]["lines"]:
                amounts[line["number"], line["gl"]] -= Decimal(line["amount"])
        for line in asked["lines"]:
            left = amounts.get((line["number"], line["gl"]))
            if left is None:
                raise Refusal("unknown-line", f"The order has no line {line['number']} on {line['gl']}.")
            if not 0 < Decimal(line["amount"]) <= left:
                raise Refusal("exceeds-line", f"Line {line['number']} has {left} left, not {line['amount']}.")

    def _shown(self, reference: str, refund: dict[str, Any]) -> dict[str, Any]:
        return {
            "reference": reference,
            "key": refund["key"],
            "amount": refund["asked"]["amount"],
            "refund_number": refund["number"],
            "refunded_at": refund["refunded_at"],
            "error": refund["error"],
            "lines": [
                {"number": line["number"], "amount": line["amount"], "status": self._status_of(refund)}
                for line in refund["asked"]["lines"]
            ],
        }

    def _status_of(self, refund: dict[str, Any]) -> str:
        """In progress, then paid, then booked, by age, unless moved by hand."""
        if refund["forced"]:
            return str(refund["forced"])
        age = time.monotonic() - refund["accepted_at"]
        return "INPRG" if age < self.settle_seconds else "PAID" if age < 2 * self.settle_seconds else "CMPLT"
