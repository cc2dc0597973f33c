"""Looks for the way of signing that gives the signature that came, from the right way to the ever more wrong ones."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from payments.signaturedoctor.causes import Finding, finding
from payments.signaturedoctor.variants import ALGORITHMS, GivenSignature, Variant

# Three mistakes at once are still looked for; what needs more is not one request's fault.
MOST_MISTAKES = 3
# What one look may hash: a few seconds of one core.
MOST_BYTES = 1_000_000_000
SECONDS_TRIED_AROUND = 900


@dataclass(frozen=True, slots=True)
class Fit:
    """What the signature was made of: the findings of the way that fits, and the body that was signed."""

    findings: tuple[Finding, ...]
    body: Variant


@dataclass(slots=True)
class Search:
    """One hunt over all combinations. `tried` counts the calculations."""

    signatures: Sequence[GivenSignature]
    tried: int = 0
    hashed_bytes: int = 0

    def fit(self, keys: Sequence[Variant], contents: Sequence[Variant], bodies: Sequence[Variant]) -> Fit | None:
        """The combination with the fewest mistakes that gives one of the signatures; None when none does."""
        combinations = [
            (key.weight + content.weight + body.weight, key, content, body)
            for key in keys
            for content in contents
            for body in bodies
        ]
        combinations.sort(key=lambda combination: combination[0])
        best: Fit | None = None
        for weight, key, content, body in combinations:
            if weight > MOST_MISTAKES or self.hashed_bytes > MOST_BYTES:
                break
            if best is not None and weight >= len(best.findings):
                break
            found = self._compare(key.part, content.part + body.part)
            if found is None:
                continue
            fit = Fit((*key.meaning, *content.meaning, *body.meaning, *found), body)
            if best is None or len(fit.findings) < len(best.findings):
                best = fit
        return best

    def stripped_timestamp(self, key: bytes, body: bytes, before: bytes, received_at: float) -> int | None:
        """The second near the arrival that was signed although no header brought it; None when there is none."""
        start = int(received_at)
        for distance in range(SECONDS_TRIED_AROUND + 1):
            for second in {start - distance, start + distance}:
                if self._compare(key, before + f"{second}.".encode() + body) is not None:
                    return second
        return None

    def _compare(self, key: bytes, content: bytes) -> tuple[Finding, ...] | None:
        """What the written form of the first signature that fits means; None when none does."""
        best: tuple[Finding, ...] | None = None
        for length, algorithm in ALGORITHMS.items():
            given = [signature for signature in self.signatures if len(signature.digest) == length]
            if not given:
                continue
            other = () if algorithm == "sha256" else (finding("algorithm-other", algorithm=algorithm.upper()),)
            self.tried += 1
            self.hashed_bytes += len(content)
            expected = hmac.digest(key, content, algorithm)
            for signature in given:
                if hmac.compare_digest(signature.digest, expected):
                    meaning = (*signature.meaning, *other)
                    best = meaning if best is None or len(meaning) < len(best) else best
        return best

    def is_plain_digest(self, keys: Sequence[Variant], contents: Sequence[Variant], body: bytes) -> bool:
        """Whether a signature is a SHA-256 without HMAC, with or without the secret in front or behind."""
        given = [signature.digest for signature in self.signatures if len(signature.digest) == 32]
        return any(
            hmac.compare_digest(digest, hashlib.sha256(content).digest())
            for content in _undigested(keys, contents, body)
            for digest in given
        )


def _undigested(keys: Sequence[Variant], contents: Sequence[Variant], body: bytes) -> Iterator[bytes]:
    for content in (*contents, Variant(b"")):
        yield content.part + body
        for key in keys:
            yield key.part + content.part + body
            yield content.part + body + key.part
