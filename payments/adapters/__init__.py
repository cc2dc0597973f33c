"""Formats of webhook bodies, one file each. A new format is a new file and one line here."""

from __future__ import annotations

from types import MappingProxyType

from payments.adapters import configured, generic, issuing_bank, merchant_pos
from payments.adapters.contract import Adapter, AdapterContext, BodyReader

ADAPTERS: MappingProxyType[str, Adapter] = MappingProxyType(
    {
        adapter.name: adapter
        for adapter in (generic.ADAPTER, issuing_bank.ADAPTER, merchant_pos.ADAPTER, configured.ADAPTER)
    }
)

__all__ = ["ADAPTERS", "Adapter", "AdapterContext", "BodyReader"]
