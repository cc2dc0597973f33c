"""Who may read the metrics: whoever knows METRICS_TOKEN, or, when it is not set, this machine alone."""

from __future__ import annotations

import hmac
import ipaddress

from django.conf import settings

from kernel.errors import Forbidden, NotFound, Unauthenticated


class MetricsOff(NotFound):
    """Metrics are switched off here."""

    code = "metrics-off"
    title = "Metrics are off"
    next_step = "Set ENABLE_METRICS=true and start again."


class MetricsTokenWrong(Unauthenticated):
    """The metrics need the token of METRICS_TOKEN."""

    code = "metrics-token-wrong"
    title = "Metrics token missing or wrong"
    next_step = "Send Authorization: Bearer with the value of METRICS_TOKEN."


class MetricsForThisMachineOnly(Forbidden):
    """Without METRICS_TOKEN, only this machine may read the metrics."""

    code = "metrics-for-this-machine-only"
    title = "Metrics are for this machine only"
    next_step = "Set METRICS_TOKEN and send it as Authorization: Bearer, or scrape from the machine itself."


def admit_to_metrics(*, authorization: str, peer: str, is_forwarded: bool) -> None:
    """Raises one of the three errors when metrics are off or this caller may not read them.

    is_forwarded says that a proxy stands between: then the peer's address is the proxy's, and proves nothing.
    """
    if not settings.ENABLE_METRICS:
        raise MetricsOff
    if settings.METRICS_TOKEN:
        expected = f"Bearer {settings.METRICS_TOKEN}"
        if not hmac.compare_digest(authorization.encode("utf-8", "surrogateescape"), expected.encode()):
            raise MetricsTokenWrong
    elif is_forwarded or not _is_this_machine(peer):
        raise MetricsForThisMachineOnly


def _is_this_machine(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        # A request over a unix socket has no address; who may open the socket is up to its folder.
        return address == ""
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)
