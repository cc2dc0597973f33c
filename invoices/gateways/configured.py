"""The gateways that the settings name; without any, the simulators that `./run` starts to try things with."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from django.conf import settings

from invoices.gateways.card import CardGateway, HttpCardGateway
from invoices.gateways.errors import GatewayNotConfigured
from invoices.gateways.http import Access, OutsideSystem
from invoices.gateways.prepaid import HttpPrepaidGateway, PrepaidGateway
from kernel.exactjson import JsonInvalid, loads


def card_gateway() -> CardGateway:
    """The card gateway of the settings. Raises GatewayNotConfigured, which names the variables to set."""
    return _card(_access("card gateway", "CARD_GATEWAY", simulated_below="/card"))


def prepaid_gateway() -> PrepaidGateway:
    """The prepaid mainframe of the settings. Raises GatewayNotConfigured, which names the variables to set."""
    return _prepaid(_access("prepaid mainframe", "PREPAID_GATEWAY", simulated_below="/prepaid"))


@lru_cache(maxsize=4)
def _card(access: Access) -> CardGateway:
    return HttpCardGateway(OutsideSystem(access), page_url=f"{access.url}/pay", secret=access.secret)


@lru_cache(maxsize=4)
def _prepaid(access: Access) -> PrepaidGateway:
    return HttpPrepaidGateway(OutsideSystem(access))


def _access(system: str, prefix: str, *, simulated_below: str) -> Access:
    names = [f"{prefix}_URL", f"{prefix}_API_KEY", f"{prefix}_SECRET"]
    given = [getattr(settings, name) for name in names]
    seconds = getattr(settings, f"{prefix}_TIMEOUT_MS") / 1000
    if all(given):
        url, api_key, secret = given
        return Access(system, url, api_key, secret, seconds)
    missing = [name for name, value in zip(names, given, strict=True) if not value]
    simulated = _simulated() if not any(given) else None
    if simulated is None:
        raise GatewayNotConfigured(f"The {system} is not set up: set {', '.join(missing)}.")
    return Access(system, simulated["url"] + simulated_below, simulated["api_key"], simulated["secret"], seconds)


def _simulated() -> dict[str, Any] | None:
    """Where the simulators are and the keys that they made, None in production and while none run."""
    if settings.MODE == "production":
        return None
    try:
        found = loads(settings.SIMULATORS_ADDRESS_FILE.read_bytes())
    except (OSError, JsonInvalid):
        return None
    is_whole = isinstance(found, dict) and all(
        isinstance(found.get(name), str) for name in ("url", "api_key", "secret")
    )
    return found if is_whole else None
