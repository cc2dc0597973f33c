"""What is asked of a request before its body is believed, in the order from cheap to dear."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.conf import settings

from kernel.errors import RateLimited
from kernel.ratelimits import RateLimit
from payments.channeldirectory import ChannelFacts, directory
from payments.signatures import (
    ID_HEADER,
    PLAIN_SIGNATURE_HEADER,
    PLAIN_TIMESTAMP_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    verify,
)
from payments.webhooks.refusals import (
    AddressNotAllowed,
    BodyTooLarge,
    BodyUnreadable,
    ChannelUnknown,
    ChannelUnusable,
    ContentTypeUnsupported,
    MethodNotAllowed,
)

RATE_WINDOW_SECONDS = 60
_json_type = re.compile(
    r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json\s*(?:;\s*charset\s*=\s*\"?utf-?8\"?\s*)?", re.ASCII | re.IGNORECASE
)
_META_BY_HEADER = {
    name: "HTTP_" + name.upper().replace("-", "_")
    for name in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER, PLAIN_SIGNATURE_HEADER, PLAIN_TIMESTAMP_HEADER)
}


@dataclass(slots=True)
class Arrival:
    """One request on its way through the checks; what is known of it grows with each."""

    slug: str
    at: datetime
    started: float
    source_address: str
    request_id: str
    channel: ChannelFacts | None = None
    body: bytes = b""
    body_digest: str = ""
    receipt_key: str | None = None
    rate_headers: dict[str, str] = field(default_factory=dict)


def admit(environ: Mapping[str, Any], arrival: Arrival) -> ChannelFacts:
    """Fills the arrival and gives its channel once the sender is proven. Raises the refusal that comes first."""
    if environ["REQUEST_METHOD"] != "POST":
        raise MethodNotAllowed
    _check_announced_size(environ)
    channel = _channel(arrival)
    _check_address(channel, arrival.source_address)
    _check_rate(channel, arrival)
    _check_content_type(environ)
    arrival.body = _read_body(environ)
    arrival.body_digest = hashlib.sha256(arrival.body).hexdigest()
    arrival.receipt_key = verify(
        channel.scheme,
        {name: environ[key] for name, key in _META_BY_HEADER.items() if key in environ},
        arrival.body,
        keys=channel.keys,
        channel=channel.slug,
        tolerance_seconds=channel.clock_tolerance_seconds,
        now_seconds=arrival.at.timestamp(),
    )
    return channel


def _check_announced_size(environ: Mapping[str, Any]) -> None:
    announced = environ.get("CONTENT_LENGTH") or "0"
    # A length that is no number is refused by the server before us.
    if announced.isdecimal() and int(announced) > settings.WEBHOOK_MAX_BODY_BYTES:
        raise _too_large()


def _channel(arrival: Arrival) -> ChannelFacts:
    channel = directory.find(arrival.slug)
    if channel is None:
        raise ChannelUnknown
    arrival.channel = channel
    if channel.fault:
        raise ChannelUnusable(retry_after_seconds=60)
    return channel


def _check_address(channel: ChannelFacts, source_address: str) -> None:
    if not channel.networks:
        return
    address = ipaddress.ip_address(source_address) if source_address else None
    if address is None or not any(address in network for network in channel.networks):
        raise AddressNotAllowed


def _check_rate(channel: ChannelFacts, arrival: Arrival) -> None:
    """Takes one from what this address may send on this channel, and says in headers how much is left."""
    limit = channel.rate_limit_per_minute
    allowance = RateLimit(f"webhook:{channel.slug}:{arrival.source_address}", limit, RATE_WINDOW_SECONDS).take()
    full_again = math.ceil((limit - allowance.remaining) * RATE_WINDOW_SECONDS / limit)
    arrival.rate_headers = {
        "RateLimit-Limit": str(limit),
        "RateLimit-Remaining": str(allowance.remaining),
        "RateLimit-Reset": str(full_again if allowance.allowed else allowance.retry_after_seconds),
    }
    if not allowance.allowed:
        raise RateLimited(
            f"This address may send {limit} requests a minute on this channel.",
            retry_after_seconds=max(1, allowance.retry_after_seconds),
        )


def _check_content_type(environ: Mapping[str, Any]) -> None:
    if not _json_type.fullmatch(environ.get("CONTENT_TYPE", "").strip()):
        raise ContentTypeUnsupported
    if environ.get("HTTP_CONTENT_ENCODING", "identity").strip().lower() != "identity":
        raise ContentTypeUnsupported("A compressed body is not read: the signature is checked over plain bytes.")


def _read_body(environ: Mapping[str, Any]) -> bytes:
    """The raw bytes; a body without Content-Length, in chunks, is read up to the limit and no further."""
    limit = settings.WEBHOOK_MAX_BODY_BYTES
    announced = environ.get("CONTENT_LENGTH") or ""
    length = int(announced) if announced.isdecimal() else None
    if length is None and not environ.get("HTTP_TRANSFER_ENCODING"):
        length = 0
    try:
        # Without a length the server's own stream ends where the body does.
        body: bytes = environ["wsgi.input"].read(limit + 1 if length is None else length)
    except OSError:
        raise BodyUnreadable from None
    if len(body) > limit:
        raise _too_large()
    if length is not None and len(body) != length:
        raise BodyUnreadable(f"{len(body)} bytes came of the {length} that were announced.")
    return body


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than {settings.WEBHOOK_MAX_BODY_BYTES} bytes.")
