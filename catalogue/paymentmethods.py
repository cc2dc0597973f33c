"""The ways of paying that a product may allow, by the codes that accounts and invoices use for them."""

from __future__ import annotations

PAYMENT_METHODS = ("PAD", "EFT", "EJV", "ONLINE_BANKING", "DIRECT_PAY", "CC", "DRAWDOWN", "INTERNAL")
