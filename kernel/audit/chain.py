"""How one seal is hashed. Each hash covers the hash before it, so that no link can be changed or taken out alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

# What the first seal stands on.
GENESIS_HASH = bytes(32)
FINGERPRINT_BYTES = 8


@dataclass(frozen=True, slots=True)
class SealContent:
    """Everything that a seal states. `positions` is PostgreSQL's text of an int8multirange."""

    sequence: int
    sealed_at: datetime
    source: str
    positions: str
    high_water: int
    entry_count: int
    content_digest: bytes
    fingerprints: bytes
    previous_hash: bytes

    def hash(self) -> bytes:
        """SHA-256 over all fields in a fixed order; JSON keeps their borders apart."""
        statement = [
            self.sequence,
            self.sealed_at.astimezone(UTC).isoformat(timespec="microseconds"),
            self.source,
            self.positions,
            self.high_water,
            self.entry_count,
            self.content_digest.hex(),
            hashlib.sha256(self.fingerprints).hexdigest(),
            self.previous_hash.hex(),
        ]
        return hashlib.sha256(json.dumps(statement).encode()).digest()
