"""The pages of accounts, partners, API clients and their keys."""

from __future__ import annotations

from accounts.admin.clients import ApiClientAdmin, ApiKeyAdmin
from accounts.admin.partners import PartnerAdmin
from accounts.admin.payers import PaymentAccountAdmin

__all__ = ["ApiClientAdmin", "ApiKeyAdmin", "PartnerAdmin", "PaymentAccountAdmin"]
