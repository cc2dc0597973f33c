"""Who pays, who is paid, and which outside systems may ask."""

from __future__ import annotations

from accounts.models.clients import ApiClient, ApiKey
from accounts.models.identities import BankDetails, IllegalIdentityMove, LedgerIdentity
from accounts.models.partners import Partner, PartnerProduct
from accounts.models.payers import AccountFee, AccountLock, PaymentAccount

__all__ = [
    "AccountFee",
    "AccountLock",
    "ApiClient",
    "ApiKey",
    "BankDetails",
    "IllegalIdentityMove",
    "LedgerIdentity",
    "Partner",
    "PartnerProduct",
    "PaymentAccount",
]
