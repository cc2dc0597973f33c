"""How many requests a partner may send in a minute, all its keys together."""

from __future__ import annotations

import math
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from kernel.errors import RateLimited
from kernel.ratelimits import RateLimit
from kernel.requests import ANONYMOUS, client_address, current_actor

WINDOW_SECONDS = 60


class ClientRateLimit(BaseThrottle):
    """API_RATE_LIMIT a minute for each caller, or for each address where nobody needs to say who is calling.

    Every answer says what is left (RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset). Raises RateLimited (429).
    """

    def allow_request(self, request: Request, view: Any) -> bool:
        limit: int = settings.API_RATE_LIMIT
        caller = current_actor()
        key = f"address:{client_address(request)}" if caller == ANONYMOUS else caller
        allowance = RateLimit(f"api:{key}", limit, WINDOW_SECONDS).take()
        full_again = math.ceil((limit - allowance.remaining) * WINDOW_SECONDS / limit)
        # REST framework puts them on whatever the view answers, problems included.
        view.headers |= {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(allowance.remaining),
            "RateLimit-Reset": str(full_again if allowance.allowed else allowance.retry_after_seconds),
        }
        if not allowance.allowed:
            raise RateLimited(
                f"At most {limit} requests a minute are answered.",
                retry_after_seconds=max(1, allowance.retry_after_seconds),
            )
        return True
