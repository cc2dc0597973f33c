"""The ways of paying that a product may allow, by the codes that accounts and invoices use for them."""

from __future__ import annotations

PAYMENT_METHODS = ("PAD", "EFT", "EJV", "ONLINE_BANKING", "DIRECT_PAY", "CC", "DRAWDOWN", "INTERNAL")
# In few words, for lists; what is not here is said by its letters, as finance does.
METHOD_WORDS = {
    "ONLINE_BANKING": "online banking",
    "DIRECT_PAY": "card",
    "CC": "card on a ledger invoice (CC)",
    "DRAWDOWN": "prepaid drawdown",
    "INTERNAL": "internal",
}
