"""What an API key may be used for."""

from __future__ import annotations

PAYMENTS_READ = "payments:read"
PAYMENTS_STATS = "payments:stats"

# Scope and what it allows, as the person who issues a key reads it.
SCOPES: dict[str, str] = {
    PAYMENTS_READ: "Read payments, one by one and in lists",
    PAYMENTS_STATS: "Read counts and sums over payments",
}
