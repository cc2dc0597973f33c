"""What an API key may be used for."""

from __future__ import annotations

PAYMENTS_READ = "payments:read"
PAYMENTS_STATS = "payments:stats"
FEES_READ = "fees:read"
FEES_WAIVE = "fees:waive"
FEES_EXCLUDE_SERVICE = "fees:exclude-service"
INVOICES_READ = "invoices:read"
INVOICES_WRITE = "invoices:write"
REFUNDS_REQUEST = "refunds:request"
REFUNDS_APPROVE = "refunds:approve"
CREDITS_READ = "credits:read"
ACCOUNTS_READ = "accounts:read"
ACCOUNTS_WRITE = "accounts:write"
ACCOUNTS_TERMS = "accounts:terms"

# Scope and what it allows, as the person who issues a key reads it.
SCOPES: dict[str, str] = {
    PAYMENTS_READ: "Read payments, one by one and in lists",
    PAYMENTS_STATS: "Read counts and sums over payments",
    FEES_READ: "Ask what something costs, and read the price list",
    FEES_WAIVE: "Waive fees as staff may; for systems of our own only",
    FEES_EXCLUDE_SERVICE: "Leave the service fee out of a quote or an invoice",
    INVOICES_READ: "Read invoices and receipts",
    INVOICES_WRITE: "Create, cancel and change invoices",
    REFUNDS_REQUEST: "Ask for refunds",
    REFUNDS_APPROVE: "Approve or decline refunds that somebody else asked for",
    CREDITS_READ: "Read the credits of accounts",
    ACCOUNTS_READ: "Read accounts, their locks and how they pay",
    ACCOUNTS_WRITE: "Open accounts",
    ACCOUNTS_TERMS: "Agree how a new account owes: by transfer, journal or outside; for systems of our own only",
}
