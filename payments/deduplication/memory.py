"""The most recently used references of this process, with the payment that each belongs to."""

from __future__ import annotations

import hashlib
import struct
import threading
from collections import OrderedDict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# The payment's id, its date in microseconds, and how long the fingerprint is that follows; the rest is the mark.
_head = struct.Struct(">16sqB")


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
    """A bounded map of references in order of use; safe between threads.

    Each is kept as one string of bytes, so that ten thousand take half the memory; a hit makes the objects again, with
    the date in UTC.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, bytes] = OrderedDict()

    def get(self, reference_number: str) -> KnownReference | None:
        with self._lock:
            packed = self._entries.get(reference_number)
            if packed is None:
                return None
            self._entries.move_to_end(reference_number)
        return _unpacked(packed)

    def put(self, reference_number: str, known: KnownReference, *, max_size: int) -> None:
        packed = _packed(known)
        with self._lock:
            self._entries[reference_number] = packed
            self._entries.move_to_end(reference_number)
            while len(self._entries) > max_size:
                self._entries.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)


def _packed(known: KnownReference) -> bytes:
    microseconds = (known.payment_date - _EPOCH) // _MICROSECOND
    head = _head.pack(known.payment_id.bytes, microseconds, len(known.fingerprint))
    return head + known.fingerprint + known.request_mark


def _unpacked(packed: bytes) -> KnownReference:
    identity, microseconds, length = _head.unpack_from(packed)
    end = _head.size + length
    paid_at = _EPOCH + timedelta(microseconds=microseconds)
    return KnownReference(UUID(bytes=identity), paid_at, packed[_head.size : end], packed[end:])
