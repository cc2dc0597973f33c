"""Who signed this body, and when: Standard Webhooks 1.0.0, and a plain HMAC of the raw body.

Pure: header values, body and keys come in; a receipt key comes out, or a refusal with its own code.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kernel.errors import Refused, Unauthenticated
from payments.states import SignatureScheme

SECRET_PREFIX = "whsec_"  # noqa: S105 - the prefix that the standard prescribes, not a secret
KEY_MIN_BYTES = 24
KEY_MAX_BYTES = 64
PLAIN_SECRET_MIN_LENGTH = 16
PLAIN_SECRET_MAX_LENGTH = 255
# A sender who rotates sends two. More than a handful only makes us work.
MAX_SIGNATURES = 10

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"
PLAIN_SIGNATURE_HEADER = "X-Signature"
PLAIN_TIMESTAMP_HEADER = "X-Timestamp"

_webhook_id = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_timestamp = re.compile(r"[0-9]{1,11}", re.ASCII)
_plain_signature = re.compile(r"sha256=([0-9a-fA-F]{64})", re.ASCII)


class SignatureRefused(Unauthenticated):
    """The request does not prove that the channel sent it."""

    title = "Signature refused"
    next_step = "Sign the raw body as docs/webhooks.md shows, with the channel's secret and the present time."


class SignatureMissing(SignatureRefused):
    """The signature header is missing."""

    code = "signature-missing"


class SignatureMalformed(SignatureRefused):
    """The signature header cannot be read."""

    code = "signature-malformed"


class SignatureWrong(SignatureRefused):
    """No signature fits the raw body with any secret that is live on this channel."""

    code = "signature-wrong"


class TimestampMissing(SignatureRefused):
    """The timestamp header is missing."""

    code = "timestamp-missing"


class TimestampMalformed(SignatureRefused):
    """The timestamp must be whole seconds since 1970-01-01 UTC, in digits only."""

    code = "timestamp-malformed"


class TimestampOutsideTolerance(SignatureRefused):
    """The timestamp is too far from our clock."""

    code = "timestamp-outside-tolerance"
    next_step = "Set the sender's clock by NTP, and sign every attempt anew with the time at which it is sent."


class WebhookIdMissing(SignatureRefused):
    """The webhook-id header is missing."""

    code = "webhook-id-missing"


class WebhookIdMalformed(SignatureRefused):
    """The webhook-id must be 1 to 255 visible ASCII characters."""

    code = "webhook-id-malformed"


class SecretInvalid(Refused):
    """The signing secret does not have the form that the channel's scheme asks for."""

    code = "secret-invalid"
    title = "Signing secret invalid"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One live key; expires_at_seconds is a Unix time for the secret that a rotation replaced, else None."""

    key: bytes
    expires_at_seconds: float | None = None


def key_from_secret(secret: str, scheme: SignatureScheme) -> bytes:
    """The key's bytes. Standard Webhooks: `whsec_` and base64 of 24 to 64 bytes. Plain: the text itself in UTF-8.

    Raises SecretInvalid, which does not repeat the secret.
    """
    if scheme is SignatureScheme.PLAIN_HMAC:
        if not PLAIN_SECRET_MIN_LENGTH <= len(secret) <= PLAIN_SECRET_MAX_LENGTH or not secret.isprintable():
            raise SecretInvalid(
                f"The secret should be {PLAIN_SECRET_MIN_LENGTH} to {PLAIN_SECRET_MAX_LENGTH} printable characters."
            )
        return secret.encode()
    expected = f"The secret should be {SECRET_PREFIX} and the base64 of {KEY_MIN_BYTES} to {KEY_MAX_BYTES} bytes."
    if not secret.startswith(SECRET_PREFIX):
        raise SecretInvalid(expected)
    try:
        key = b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (Base64Error, ValueError):
        raise SecretInvalid(expected) from None
    if not KEY_MIN_BYTES <= len(key) <= KEY_MAX_BYTES:
        raise SecretInvalid(expected)
    return key


def secret_from_key(key: bytes) -> str:
    """A key as `whsec_…` text."""
    return SECRET_PREFIX + b64encode(key).decode("ascii")


def verify(
    scheme: SignatureScheme,
    headers: Mapping[str, str],
    body: bytes,
    *,
    keys: tuple[SigningKey, ...],
    channel: str,
    tolerance_seconds: int,
    now_seconds: float,
) -> str:
    """Proves that a holder of one of the keys signed this body; gives the request's receipt key.

    `headers` maps header names as they stand in this module to their values; a header that was not sent is absent or
    empty. The receipt key is the webhook-id, or for the plain scheme a digest of channel, timestamp and body. Raises
    one of the SignatureRefused family.
    """
    return _SCHEMES[scheme](headers, body, keys, channel, tolerance_seconds, now_seconds)


def _verify_standard(
    headers: Mapping[str, str],
    body: bytes,
    keys: tuple[SigningKey, ...],
    channel: str,
    tolerance_seconds: int,
    now_seconds: float,
) -> str:
    webhook_id = headers.get(ID_HEADER) or _missing(WebhookIdMissing)
    if not _webhook_id.fullmatch(webhook_id):
        raise WebhookIdMalformed
    timestamp = headers.get(TIMESTAMP_HEADER) or _missing(TimestampMissing)
    given = headers.get(SIGNATURE_HEADER) or _missing(SignatureMissing)
    signatures = _standard_signatures(given)
    _check_timestamp(timestamp, tolerance_seconds, now_seconds)
    _match(signatures, f"{webhook_id}.{timestamp}.".encode("ascii") + body, keys, now_seconds)
    return webhook_id


def _verify_plain(
    headers: Mapping[str, str],
    body: bytes,
    keys: tuple[SigningKey, ...],
    channel: str,
    tolerance_seconds: int,
    now_seconds: float,
) -> str:
    given = headers.get(PLAIN_SIGNATURE_HEADER) or _missing(SignatureMissing)
    match = _plain_signature.fullmatch(given.strip())
    if match is None:
        raise SignatureMalformed("The X-Signature header should be sha256= and 64 hexadecimal digits.")
    timestamp = headers.get(PLAIN_TIMESTAMP_HEADER) or ""
    content = body
    if timestamp:
        # The time is signed with the body, or whoever recorded a request could send it again under a new time. Taking
        # the header away does not help them either: what was signed begins with digits and a dot, which is no JSON.
        _check_timestamp(timestamp, tolerance_seconds, now_seconds)
        content = timestamp.encode("ascii") + b"." + body
    _match([bytes.fromhex(match[1])], content, keys, now_seconds)
    return hashlib.sha256(b"\n".join((channel.encode(), timestamp.encode(), body))).hexdigest()


_SCHEMES: dict[SignatureScheme, Callable[..., str]] = {
    SignatureScheme.STANDARD_WEBHOOKS: _verify_standard,
    SignatureScheme.PLAIN_HMAC: _verify_plain,
}


def _missing(refusal: type[SignatureRefused]) -> str:
    raise refusal


def _standard_signatures(header: str) -> list[bytes]:
    """The v1 signatures of a space-separated list; other versions are for other readers and are passed over."""
    entries = header.split()
    if len(entries) > MAX_SIGNATURES:
        raise SignatureMalformed(f"The webhook-signature header holds more than {MAX_SIGNATURES} signatures.")
    signatures = []
    for entry in entries:
        version, comma, encoded = entry.partition(",")
        if version != "v1" or not comma:
            continue
        try:
            signature = b64decode(encoded, validate=True)
        except (Base64Error, ValueError):
            continue
        if len(signature) == hashlib.sha256().digest_size:
            signatures.append(signature)
    if not signatures:
        raise SignatureMalformed("The webhook-signature header should hold v1, and the base64 of 32 bytes.")
    return signatures


def _check_timestamp(timestamp: str, tolerance_seconds: int, now_seconds: float) -> None:
    if not _timestamp.fullmatch(timestamp):
        raise TimestampMalformed
    distance = now_seconds - int(timestamp)
    if abs(distance) > tolerance_seconds:
        side = "behind" if distance > 0 else "ahead of"
        raise TimestampOutsideTolerance(
            f"The timestamp is {abs(distance):.0f} s {side} our clock; at most {tolerance_seconds} s are accepted."
        )


def _match(signatures: list[bytes], content: bytes, keys: tuple[SigningKey, ...], now_seconds: float) -> None:
    """Every signature against every live key, each compared in constant time. Raises SignatureWrong."""
    fits = False
    for live in keys:
        if live.expires_at_seconds is not None and live.expires_at_seconds <= now_seconds:
            continue
        expected = hmac.digest(live.key, content, "sha256")
        for signature in signatures:
            fits |= hmac.compare_digest(signature, expected)
    if not fits:
        raise SignatureWrong
