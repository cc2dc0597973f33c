"""The simulated prepaid mainframe's debits and its read replica."""

from __future__ import annotations

import threading
from typing import Any

from tests.simulators.cardbook import now_text
from tests.simulators.refusals import KeyTaken, Missing, Refusal

REASONS = {
    "5": "The account is not valid.",
    "7": "The mainframe is not available.",
    "20": "The account is closed.",
    "21": "The user has been revoked.",
    "48": "The account has been revoked.",
    "61": "The funds are insufficient.",
}
# Accounts and users that refuse by their name, for trying it out; every other account is good for any amount.
REFUSING_ACCOUNTS = {"INVALID": "5", "AWAY": "7", "CLOSED": "20", "REVOKED": "48", "EMPTY": "61"}
REVOKED_USER = "REVOKED"


class PrepaidBook:
    """Debits by key: the number of the invoice."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.debits: dict[str, dict[str, Any]] = {}
        self.reversals: dict[str, str] = {}

    def debit(self, key: str, asked: dict[str, Any], *, refused_by: str = "") -> tuple[int, dict[str, Any]]:
        with self._lock:
            known = self.debits.get(key)
            if known is not None:
                if known["asked"] != asked:
                    raise KeyTaken(key)
                return 200, self._shown(known)
            fault = refused_by or REFUSING_ACCOUNTS.get(asked["account"], "")
            if asked["user_id"] == REVOKED_USER:
                fault = "21"
            if fault:
                raise Refusal(fault, REASONS.get(fault, "Refused."))
            if key != asked["key"] or not (asked["amount"].isdigit() and len(asked["amount"]) == 10):
                raise Refusal("99", "The record is not as it should be.")
            self.debits[key] = {"asked": asked, "number": f"B{len(self.debits) + 1:08d}", "debited_at": now_text()}
            return 201, self._shown(self.debits[key])

    def find(self, key: str) -> dict[str, Any]:
        with self._lock:
            if key not in self.debits:
                raise Missing("such debit")
            return self._shown(self.debits[key])

    def reverse(self, key: str) -> None:
        """What the help desk does when it is asked to give a debit back."""
        with self._lock:
            if key in self.debits:
                self.reversals.setdefault(key, now_text())

    def find_reversals(self, keys: list[str]) -> dict[str, Any]:
        with self._lock:
            return {
                "rows": [
                    {
                        "key": key,
                        "quantity": -1,
                        "amount": self.debits[key]["asked"]["amount"],
                        "account": self.debits[key]["asked"]["account"],
                        "reversed_at": self.reversals[key],
                    }
                    for key in keys
                    if key in self.reversals
                ]
            }

    def _shown(self, debit: dict[str, Any]) -> dict[str, Any]:
        return {
            "return_code": "0000",
            "key": debit["asked"]["key"],
            "account": debit["asked"]["account"],
            "amount": debit["asked"]["amount"],
            "receipt_number": debit["number"],
            "debited_at": debit["debited_at"],
        }
