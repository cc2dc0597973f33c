"""The most recently used references of this process, with the payment that each belongs to."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID


class KnownReference(NamedTuple):
    """A committed payment under a reference, and the fingerprint of what it was recorded with.

    request_mark is that of the last webhook request that brought it, b"" when none is known.
    """

    payment_id: UUID
    payment_date: datetime
    fingerprint: bytes
    request_mark: bytes = b""


def fingerprint_of(identity: tuple[str, str, Decimal, str, datetime]) -> bytes:
    """Sixteen bytes that are the same for two notices exactly when `PaymentNotice.identity` is."""
    account, cif, amount, currency, paid_at = identity
    # No field can hold the separator: notices with control characters are refused. The exact microsecond counts, in
    # whatever zone it was written.
    text = f"{account}\x1f{cif}\x1f{amount:.2f}\x1f{currency}\x1f{paid_at.timestamp():.6f}"
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def mark_of(channel_slug: str, receipt_key: str, body_digest: str) -> bytes:
    """Sixteen bytes for one message of one channel: the same only for the same key with the same body."""
    return hashlib.blake2b(f"{channel_slug}\x1f{receipt_key}\x1f{body_digest}".encode(), digest_size=16).digest()


class RecentReferences:
    """A bounded map of references in order of use; safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, KnownReference] = OrderedDict()

    def get(self, reference_number: str) -> KnownReference | None:
        with self._lock:
            known = self._entries.get(reference_number)
            if known is not None:
                self._entries.move_to_end(reference_number)
            return known

    def put(self, reference_number: str, known: KnownReference, *, max_size: int) -> None:
        with self._lock:
            self._entries[reference_number] = known
            self._entries.move_to_end(reference_number)
            while len(self._entries) > max_size:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)
