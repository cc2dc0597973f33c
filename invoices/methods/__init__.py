"""The payment methods, one file each (domain.md 2.2), and the protocol that they fulfil."""

from __future__ import annotations

from invoices.methods.protocol import Collection, PaymentMethod, Standing
from invoices.methods.registry import UnknownMethod, all_methods, find_method, register_method

__all__ = [
    "Collection",
    "PaymentMethod",
    "Standing",
    "UnknownMethod",
    "all_methods",
    "find_method",
    "register_method",
]
