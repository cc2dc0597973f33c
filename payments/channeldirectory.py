"""The channels as a web process knows them: ready to check a request against, at most CHANNELS_MAX_AGE_SECONDS old.

All channels are read at once, so that an unknown name costs no query, however many are tried.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection

from kernel import exactjson
from kernel.crypto import SecretUnreadable, decrypt_text
from payments.adapters import ADAPTERS, BodyReader
from payments.signatures import SecretInvalid, SigningKey, key_from_secret
from payments.states import SignatureScheme

logger = logging.getLogger(__name__)

# A change in another process is noticed within the second figure; one thread begins to look after the first.
CHANNELS_REFRESH_SECONDS = 3.0
CHANNELS_MAX_AGE_SECONDS = 5.0

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The secrets come as they are stored: one that cannot be read must not hide the other channels.
ACTIVE_CHANNELS = """
select slug, adapter, mapping::text, currency, signature_scheme, secret, previous_secret, previous_secret_expires_at,
       allowed_networks, rate_limit_per_minute, clock_tolerance_seconds
from channel
where is_active
"""


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """One active channel. `fault` says why it cannot be used although it is active; '' when it can."""

    slug: str
    reader: BodyReader
    currency: str
    scheme: SignatureScheme
    keys: tuple[SigningKey, ...]
    networks: tuple[Network, ...]
    rate_limit_per_minute: int
    clock_tolerance_seconds: int
    fault: str = ""


class ChannelDirectory:
    """All active channels of this process by slug, read again when they grow old."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._channels: Mapping[str, ChannelFacts] = {}
        self._read_at: float | None = None

    def find(self, slug: str) -> ChannelFacts | None:
        """The active channel of this slug; None when there is none. Errors of the database pass through."""
        self._keep_fresh()
        return self._channels.get(slug)

    def forget(self) -> None:
        """Has the next request read the channels again: for a process that has just changed one."""
        self._read_at = None

    def _keep_fresh(self) -> None:
        read_at = self._read_at
        age = float("inf") if read_at is None else self._clock() - read_at
        if age < CHANNELS_REFRESH_SECONDS:
            return
        # While one thread reads, the others go on with what is there, as long as it is young enough.
        if not self._lock.acquire(blocking=age >= CHANNELS_MAX_AGE_SECONDS):
            return
        try:
            if self._read_at == read_at or self._read_at is None:
                started_at = self._clock()
                self._channels = _read_channels()
                self._read_at = started_at
        finally:
            self._lock.release()


directory = ChannelDirectory()


def _read_channels() -> Mapping[str, ChannelFacts]:
    with connection.cursor() as cursor:
        cursor.execute(ACTIVE_CHANNELS)
        return {row[0]: _facts(*row) for row in cursor.fetchall()}


def _facts(
    slug: str,
    adapter: str,
    mapping: str,
    currency: str,
    scheme: str,
    secret: str,
    previous_secret: str,
    previous_expires_at: datetime | None,
    networks: list[str],
    rate_limit_per_minute: int,
    clock_tolerance_seconds: int,
) -> ChannelFacts:
    keys, fault = _keys(SignatureScheme(scheme), secret, previous_secret, previous_expires_at)
    if adapter not in ADAPTERS:
        fault = f"The format {adapter[:50]} is not known to this version."
    if fault:
        extra = {"action": "read_channels", "channel": slug, "fault": fault}
        logger.error("A channel is active but cannot be used", extra=extra)
    return ChannelFacts(
        slug=slug,
        reader=ADAPTERS.get(adapter, ADAPTERS["generic"]).reader_for(exactjson.loads(mapping)),
        currency=currency or settings.LEDGER_CURRENCY,
        scheme=SignatureScheme(scheme),
        keys=keys,
        networks=tuple(ipaddress.ip_network(network, strict=False) for network in networks),
        rate_limit_per_minute=rate_limit_per_minute,
        clock_tolerance_seconds=clock_tolerance_seconds,
        fault=fault,
    )


def _keys(
    scheme: SignatureScheme, secret: str, previous_secret: str, previous_expires_at: datetime | None
) -> tuple[tuple[SigningKey, ...], str]:
    stored: list[tuple[str, float | None]] = [(secret, None)]
    if previous_secret and previous_expires_at is not None:
        stored.append((previous_secret, previous_expires_at.timestamp()))
    keys = []
    fault = ""
    for token, expires_at in stored:
        try:
            keys.append(SigningKey(key_from_secret(decrypt_text(token), scheme), expires_at))
        except (SecretUnreadable, SecretInvalid) as error:
            # Without the present secret the channel is lost; without the one before it is only half a rotation.
            fault = fault if keys else error.detail
    return tuple(keys), fault


def receivable_networks(texts: Any) -> list[str]:
    """The CIDR ranges in one spelling. Raises ValueError, whose text is the first range that is none."""
    spelled = []
    for text in texts:
        try:
            spelled.append(str(ipaddress.ip_network(str(text).strip(), strict=False)))
        except ValueError:
            raise ValueError(str(text)[:60]) from None
    return spelled
