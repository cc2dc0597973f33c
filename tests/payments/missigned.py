"""Requests with a mistake in their signature, each really made, by the standard library alone."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
from typing import Any

from payments.signaturedoctor import GivenRequest, KnownChannel, KnownSecret
from payments.states import SignatureScheme

STANDARD = SignatureScheme.STANDARD_WEBHOOKS
PLAIN = SignatureScheme.PLAIN_HMAC
NOW = 1_763_600_000
LIMIT = 262_144
KEY = b"a-key-of-thirty-two-bytes-length"
OLD_KEY = b"the-key-before-the-last-rotation"
FOREIGN_KEY = b"the-key-of-quite-another-channel"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
PLAIN_SECRET = "whsec_" + base64.b64encode(b"text-that-is-used-as-it-stands!!").decode()
BODY = '{"id": "evt_77", "amount": 125.50, "url": "a/b", "note": "Čeština ü"}'.encode()
LATIN_BODY = '{"amount": 1, "note": "ü"}'.encode()
STANDARD_CHANNEL = KnownChannel(
    "shop",
    STANDARD,
    [
        KnownSecret("shop", SECRET, STANDARD),
        KnownSecret("shop", "whsec_" + base64.b64encode(OLD_KEY).decode(), STANDARD, NOW - 60),
    ],
)
PLAIN_CHANNEL = KnownChannel("till", PLAIN, [KnownSecret("till", PLAIN_SECRET, PLAIN)])
OTHERS = [KnownSecret("north", "whsec_" + base64.b64encode(FOREIGN_KEY).decode(), STANDARD)]
EVERY_SECRET = (KEY, OLD_KEY, FOREIGN_KEY, PLAIN_SECRET.encode())


def mac(key: bytes, content: bytes, algorithm: str = "sha256") -> bytes:
    return hmac.new(key, content, algorithm).digest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def standard(
    body: bytes = BODY,
    *,
    signed: bytes | None = None,
    key: bytes = KEY,
    content: str = "{id}.{at}.",
    algorithm: str = "sha256",
    at: int | str = NOW,
    webhook_id: str = "msg_1",
    written: str = "v1,{b64}",
    **changes: Any,
) -> GivenRequest:
    digest = mac(key, content.format(id=webhook_id, at=at).encode() + (body if signed is None else signed), algorithm)
    hex_of_digest = digest.hex()
    signature = written.format(
        b64=b64(digest),
        hex=hex_of_digest,
        b64hex=b64(hex_of_digest.encode()),
        url=base64.urlsafe_b64encode(digest).decode().rstrip("="),
    )
    headers: dict[str, str | None] = {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(at),
        "webhook-signature": signature,
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return GivenRequest([(name, value) for name, value in headers.items() if value is not None], body, float(NOW))


def plain(
    body: bytes = BODY,
    *,
    signed: bytes | None = None,
    key: bytes = PLAIN_SECRET.encode(),
    content: str = "{at}.",
    algorithm: str = "sha256",
    at: str = str(NOW),
    written: str = "sha256={hex}",
    **changes: Any,
) -> GivenRequest:
    digest = mac(key, content.format(at=at).encode() + (body if signed is None else signed), algorithm)
    headers: dict[str, str | None] = {
        "X-Signature": written.format(hex=digest.hex(), b64=b64(digest)),
        "X-Timestamp": at,
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return GivenRequest([(name, value) for name, value in headers.items() if value is not None], body, float(NOW))


def renamed(request: GivenRequest, name: str, other: str = "") -> GivenRequest:
    """The same request with one header under another name, or without it."""
    headers = [(other if known == name else known, value) for known, value in request.headers]
    return dataclasses.replace(request, headers=[header for header in headers if header[0]])


def written(**options: Any) -> bytes:
    return json.dumps(json.loads(BODY), **options).encode()


BODY_TWICE = BODY.replace(b"}", b',\n"x": 1}')
MISTAKES: dict[str, tuple[GivenRequest, list[str]]] = {
    "signature header missing": (standard(webhook_signature=None), ["signature-missing"]),
    "signature header is a word": (standard(webhook_signature="signed!"), ["signature-malformed"]),
    "signature renamed": (
        standard(webhook_signature=None, svix_signature=standard().value("webhook-signature")),
        ["signature-renamed"],
    ),
    "timestamp is a date": (standard(at="2026-11-20"), ["timestamp-malformed"]),
    "timestamp in milliseconds, signed so": (standard(at=NOW * 1000), ["timestamp-milliseconds"]),
    "timestamp in milliseconds, seconds signed": (
        standard(webhook_timestamp=str(NOW * 1000)),
        ["timestamp-milliseconds"],
    ),
    "timestamp header stripped": (
        standard(at=NOW - 7, webhook_timestamp=None),
        ["timestamp-missing", "timestamp-stripped"],
    ),
    "clock behind": (standard(at=NOW - 301), ["clock-behind"]),
    "clock ahead": (standard(at=NOW + 3600), ["clock-ahead"]),
    "old secret": (standard(key=OLD_KEY), ["secret-expired"]),
    "secret of another channel": (standard(key=FOREIGN_KEY), ["secret-of-another-channel"]),
    "secret as text": (standard(key=b64(KEY).encode()), ["secret-as-text"]),
    "secret with its prefix": (standard(key=SECRET.encode()), ["secret-with-prefix"]),
    "secret with a line break": (standard(key=SECRET.encode() + b"\n"), ["secret-with-line-break"]),
    "hex": (standard(written="v1,{hex}"), ["hex-for-base64"]),
    "hex in capitals": (
        standard(webhook_signature="v1," + mac(KEY, f"msg_1.{NOW}.".encode() + BODY).hex().upper()),
        ["hex-for-base64"],
    ),
    "base64 of hex": (standard(written="v1,{b64hex}"), ["base64-of-hex"]),
    "base64 for addresses": (standard(BODY + b"  ", written="v1,{url}"), ["base64-variant"]),
    "no version": (standard(written="{b64}"), ["prefix-wrong"]),
    "prefix of another scheme": (standard(written="sha256={hex}"), ["prefix-wrong", "hex-for-base64"]),
    "quotation marks": (standard(written='"v1,{b64}"'), ["blanks-in-header"]),
    "id stripped, another in the body signed": (
        renamed(standard(webhook_id="evt_77"), "webhook-id"),
        ["id-missing", "id-other"],
    ),
    "id of the body signed": (standard(signed=BODY, content="evt_77.{at}."), ["id-other"]),
    "id renamed": (renamed(standard(), "webhook-id", "svix-id"), ["id-renamed"]),
    "id with a blank": (standard(webhook_id="msg 1"), ["id-malformed"]),
    "id not signed": (standard(content="{at}."), ["id-not-signed"]),
    "timestamp not signed": (standard(content="{id}."), ["timestamp-not-signed"]),
    "body alone signed": (standard(content=""), ["body-alone-signed"]),
    "sha1": (standard(algorithm="sha1"), ["algorithm-other"]),
    "sha512": (standard(algorithm="sha512"), ["algorithm-other"]),
    "no HMAC": (
        standard(webhook_signature="v1," + b64(hashlib.sha256(KEY + f"msg_1.{NOW}.".encode() + BODY).digest())),
        ["hash-without-key"],
    ),
    "compact JSON": (
        standard(signed=written(separators=(",", ":"), ensure_ascii=False).replace(b"125.5", b"125.50")),
        ["body-reserialised"],
    ),
    "JSON by Python": (standard(signed=written()), ["body-reserialised"]),
    "JSON with sorted names": (standard(signed=written(sort_keys=True)), ["body-reserialised"]),
    "JSON on lines": (standard(signed=written(indent=2)), ["body-reserialised"]),
    "JSON by PHP": (
        standard(signed=written(separators=(",", ":")).replace(b"/", b"\\/")),
        ["body-reserialised"],
    ),
    "line break at the end": (standard(signed=BODY + b"\n"), ["body-line-breaks"]),
    "CR LF": (standard(BODY_TWICE, signed=BODY_TWICE.replace(b"\n", b"\r\n")), ["body-line-breaks"]),
    "byte order mark": (standard(signed=b"\xef\xbb\xbf" + BODY), ["body-encoding"]),
    "latin-1": (standard(LATIN_BODY, signed=LATIN_BODY.decode().encode("latin-1")), ["body-encoding"]),
    "empty body signed": (standard(signed=b""), ["body-empty-signed"]),
    "other scheme": (
        GivenRequest([("X-Signature", "sha256=" + mac(SECRET.encode(), BODY).hex())], BODY, float(NOW)),
        ["scheme-other"],
    ),
    "nothing known fits": (standard(key=b"nobody has ever heard of this key"), ["signature-unexplained"]),
    "two mistakes at once": (
        standard(key=SECRET.encode(), signed=written(separators=(",", ":"))),
        ["secret-with-prefix", "body-reserialised"],
    ),
    "two mistakes, and the clock": (
        standard(key=OLD_KEY, written="v1,{hex}", at=NOW - 900),
        ["clock-behind", "secret-expired", "hex-for-base64"],
    ),
}
PLAIN_MISTAKES: dict[str, tuple[GivenRequest, list[str]]] = {
    "signature header missing": (plain(X_Signature=None), ["signature-missing"]),
    "base64": (plain(written="sha256={b64}"), ["base64-for-hex"]),
    "no prefix": (plain(written="{hex}"), ["prefix-wrong"]),
    "prefix in capitals": (plain(written="SHA256={hex}"), ["prefix-wrong"]),
    "sha512": (plain(algorithm="sha512"), ["algorithm-other"]),
    "secret decoded": (plain(key=base64.b64decode(PLAIN_SECRET[6:])), ["secret-decoded"]),
    "prefix dropped": (plain(key=PLAIN_SECRET[6:].encode()), ["secret-prefix-dropped"]),
    "timestamp sent and not signed": (plain(content=""), ["timestamp-not-signed"]),
    "timestamp stripped": (plain(at=str(NOW + 30), X_Timestamp=None), ["timestamp-stripped"]),
    "milliseconds": (plain(at=str(NOW * 1000)), ["timestamp-milliseconds"]),
    "clock ahead": (plain(at=str(NOW + 301)), ["clock-ahead"]),
    "re-serialised": (plain(signed=written()), ["body-reserialised"]),
    "other scheme": (standard(key=base64.b64decode(PLAIN_SECRET[6:])), ["scheme-other"]),
}
