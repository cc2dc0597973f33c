"""The ways in which a signature goes wrong, each as what would then have been signed, with which key, and how written.

A variant carries the findings that it would mean: none for the right way.
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, urlsafe_b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from kernel import exactjson
from payments.signaturedoctor.causes import Finding, finding
from payments.signaturedoctor.given import GivenRequest, KnownChannel, KnownSecret
from payments.signatures import SECRET_PREFIX, SecretInvalid, key_from_secret
from payments.states import SignatureScheme

ALGORITHMS = {20: "sha1", 32: "sha256", 48: "sha384", 64: "sha512"}
FORMS = {
    SignatureScheme.STANDARD_WEBHOOKS: "v1, and the base64 of 32 bytes",
    SignatureScheme.PLAIN_HMAC: "sha256= and 64 hexadecimal digits",
}
# Members in which senders keep the id of the message.
ID_MEMBERS = ("id", "event_id", "eventId", "message_id", "messageId", "webhook_id", "webhookId", "uuid", "request_id")
LAYOUTS: tuple[tuple[tuple[str, str], int | str | None, str], ...] = (
    ((",", ":"), None, "without blanks"),
    ((", ", ": "), None, "with a blank after each comma and colon"),
    ((",", ": "), 2, "on indented lines (2)"),
    ((",", ": "), 4, "on indented lines (4)"),
    ((",", ": "), "\t", "on indented lines (tab)"),
)
# Beyond it JavaScript writes an exponent.
LARGEST_WHOLE = 10**21
_kept_number = re.compile(r'"\\u0000([^"\\]{1,400})\\u0000"')
_prefix = re.compile(r"(?:v[0-9]+a?|sha-?[0-9]{1,3}|hmac(?:-sha[0-9]{1,3})?)[,=:]", re.ASCII | re.IGNORECASE)
_hex = re.compile(r"(?:[0-9a-fA-F]{2}){16,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Variant:
    """Bytes for one part of the calculation, and what it would mean if they fit."""

    part: bytes = field(repr=False)
    meaning: tuple[Finding, ...] = ()

    @property
    def weight(self) -> int:
        return len(self.meaning)


@dataclass(frozen=True, slots=True)
class GivenSignature:
    """One signature of the header, decoded in one of the ways in which it may have been written."""

    digest: bytes = field(repr=False)
    meaning: tuple[Finding, ...]


def keys_of(
    channel: KnownChannel, others: Sequence[KnownSecret], now_seconds: float, meant: SignatureScheme
) -> Iterator[Variant]:
    """Every key that the sender may have used under the scheme `meant`, the right ones first."""
    for secret in channel.secrets:
        expires_at = secret.expires_at_seconds
        is_over = expires_at is not None and expires_at <= now_seconds
        state = (finding("secret-expired"),) if is_over else ()
        yield from _forms_of(secret, state, meant)
    for secret in others:
        state = (finding("secret-of-another-channel", channel=secret.channel),)
        yield from _right_form(secret.text, secret.scheme, state)
        if secret.scheme is not meant:
            yield from _right_form(secret.text, meant, state)


def _right_form(text: str, scheme: SignatureScheme, state: tuple[Finding, ...]) -> Iterator[Variant]:
    try:
        yield Variant(key_from_secret(text, scheme), state)
    except SecretInvalid:
        return


def _forms_of(secret: KnownSecret, state: tuple[Finding, ...], scheme: SignatureScheme) -> Iterator[Variant]:
    text = secret.text
    bare = text.removeprefix(SECRET_PREFIX)
    yield from _right_form(text, scheme, state)
    if scheme is SignatureScheme.STANDARD_WEBHOOKS and secret.scheme is not scheme and bare == text:
        # A secret that is no base64 has one form only, under whatever scheme it is used.
        yield Variant(text.encode(), state)
    elif scheme is SignatureScheme.STANDARD_WEBHOOKS:
        yield Variant(bare.encode(), (*state, finding("secret-as-text")))
        yield Variant(text.encode(), (*state, finding("secret-with-prefix")))
    else:
        if bare != text:
            yield Variant(bare.encode(), (*state, finding("secret-prefix-dropped")))
        decoded = _base64(bare)
        if decoded:
            yield Variant(decoded, (*state, finding("secret-decoded")))
    for behind in ("\n", "\r\n", " "):
        yield Variant((text + behind).encode(), (*state, finding("secret-with-line-break")))


def contents_of(
    channel: KnownChannel, request: GivenRequest, webhook_id: str, timestamp: str, meant: SignatureScheme
) -> list[Variant]:
    """What stands before the body in what was signed, the right way for the scheme `meant` first."""
    dotted = [(timestamp, ())] if timestamp else []
    if re.fullmatch(r"[0-9]{13}", timestamp):
        # In the header milliseconds, in what was signed seconds.
        dotted.append((timestamp[:-3], ()))
    found: list[Variant] = []
    if meant is SignatureScheme.STANDARD_WEBHOOKS:
        for stamp, meaning in dotted:
            if webhook_id:
                found.append(Variant(bytes_of(f"{webhook_id}.{stamp}."), meaning))
            found.append(Variant(bytes_of(f"{stamp}."), (*meaning, finding("id-not-signed"))))
            found += [
                Variant(bytes_of(f"{other}.{stamp}."), (*meaning, finding("id-other", member=member)))
                for member, other in _ids_in(request.body)
                if other != webhook_id
            ]
        if webhook_id:
            found.append(Variant(bytes_of(f"{webhook_id}."), (finding("timestamp-not-signed"),)))
        found.append(Variant(b"", (finding("body-alone-signed"),)))
        return found
    found += [Variant(bytes_of(f"{stamp}."), meaning) for stamp, meaning in dotted]
    found.append(Variant(b"", (finding("timestamp-not-signed"),) if timestamp else ()))
    return found


def _ids_in(body: bytes | None) -> Iterator[tuple[str, str]]:
    try:
        value = exactjson.loads(body or b"null")
    except exactjson.JsonInvalid:
        return
    if isinstance(value, dict):
        for member in ID_MEMBERS:
            if isinstance(value.get(member), str | int):
                yield member, str(value[member])[:255]


def bodies_of(body: bytes) -> list[Variant]:
    """The body as it arrived, then what other bytes may have been signed in its place."""
    found = {body: Variant(body)}
    for other, code, form in _other_bytes(body):
        found.setdefault(other, Variant(other, (finding(code, form=form),) if form else (finding(code),)))
    return list(found.values())


def _other_bytes(body: bytes) -> Iterator[tuple[bytes, str, str]]:
    yield body.rstrip(b"\r\n \t"), "body-line-breaks", "no line break or blank at its end"
    yield body + b"\n", "body-line-breaks", "a line break at its end"
    yield body + b"\r\n", "body-line-breaks", "a line break (CR LF) at its end"
    lines = body.replace(b"\r\n", b"\n")
    yield lines, "body-line-breaks", "line breaks as LF"
    yield lines.replace(b"\n", b"\r\n"), "body-line-breaks", "line breaks as CR LF"
    yield lines.rstrip(b"\n").replace(b"\n", b"\r\n") + b"\r\n", "body-line-breaks", "line breaks as CR LF"
    yield b"\xef\xbb\xbf" + body, "body-encoding", "with a byte order mark in front"
    yield body.removeprefix(b"\xef\xbb\xbf"), "body-encoding", "without its byte order mark"
    yield from _other_encodings(body)
    yield from _written_again(body)
    yield b"", "body-empty-signed", ""


def _other_encodings(body: bytes) -> Iterator[tuple[bytes, str, str]]:
    for read, written, form in (
        ("utf-8", "latin-1", "in ISO 8859-1 (Latin-1)"),
        ("utf-8", "cp1252", "in Windows-1252"),
        ("utf-8", "utf-16", "in UTF-16"),
        ("utf-8", "utf-16-le", "in UTF-16"),
        ("latin-1", "utf-8", "encoded as UTF-8 twice"),
    ):
        try:
            yield body.decode(read).encode(written), "body-encoding", form
        except UnicodeError:
            continue


def _written_again(body: bytes) -> Iterator[tuple[bytes, str, str]]:
    """The same JSON as the libraries of several languages write it."""
    for value, numbers in _values(body):
        for is_sorted in (False, True):
            order = " and its names sorted" if is_sorted else ""
            for is_ascii in (False, True):
                escapes = ", other letters escaped" if is_ascii else ""
                for separators, indent, form in LAYOUTS:
                    text = json.dumps(
                        value, separators=separators, indent=indent, sort_keys=is_sorted, ensure_ascii=is_ascii
                    )
                    text = _kept_number.sub(r"\1", text)
                    said = form + order + escapes + numbers
                    for written in dict.fromkeys((text, text.replace("/", "\\/"))):
                        yield bytes_of(written), "body-reserialised", said
                        yield bytes_of(written) + b"\n", "body-reserialised", said + ", with a line break at its end"


def _values(body: bytes) -> Iterator[tuple[Any, str]]:
    """The parsed body three times: numbers digit for digit, as floats, and with whole floats as whole numbers."""
    readings: tuple[tuple[Callable[[str], Any] | None, str], ...] = (
        (lambda digits: f"\x00{digits}\x00", ""),
        (None, ", numbers as floats"),
        (_whole_or_not, ", numbers as floats"),
    )
    for parse_float, numbers in readings:
        try:
            yield json.loads(body.decode("utf-8-sig"), parse_float=parse_float), numbers
        except (ValueError, RecursionError, OverflowError):
            return


def _whole_or_not(digits: str) -> Any:
    """A number as JavaScript writes it: 100.0 as 100, and others as json reads them."""
    kept = json.loads(digits)
    return int(kept) if kept.is_integer() and abs(kept) < LARGEST_WHOLE else kept


def bytes_of(text: str) -> bytes:
    return text.encode("utf-8", errors="surrogatepass")


def signatures_in(header: str, scheme: SignatureScheme) -> list[GivenSignature]:
    """Every digest that the header's text can be read as; the reading that is right for the scheme first."""
    form = FORMS[scheme]
    found: list[GivenSignature] = []
    for entry in re.split(r"[\s;]+", header.strip()):
        for piece in dict.fromkeys((entry, *re.split(r",(?=v[0-9]+,)", entry))):
            stripped = piece.strip("\"'<>[](),; \t")
            meaning = () if stripped == piece else (finding("blanks-in-header", form=form),)
            prefix = _prefix.match(stripped)
            bare = stripped[prefix.end() :] if prefix else stripped
            if not _prefix_is_right(prefix[0] if prefix else "", scheme):
                meaning = (*meaning, finding("prefix-wrong", form=form))
            found += [GivenSignature(digest, (*meaning, *extra)) for digest, extra in _decoded(bare, scheme)]
    return found


def _prefix_is_right(prefix: str, scheme: SignatureScheme) -> bool:
    return prefix == ("v1," if scheme is SignatureScheme.STANDARD_WEBHOOKS else "sha256=")


def _decoded(text: str, scheme: SignatureScheme) -> Iterator[tuple[bytes, tuple[Finding, ...]]]:
    is_standard = scheme is SignatureScheme.STANDARD_WEBHOOKS
    if _hex.fullmatch(text):
        yield bytes.fromhex(text), (finding("hex-for-base64"),) if is_standard else ()
    extra = () if is_standard else (finding("base64-for-hex"),)
    exact = _base64(text)
    if exact:
        yield exact, extra
        as_text = exact.decode("ascii", errors="replace")
        if _hex.fullmatch(as_text):
            yield bytes.fromhex(as_text), (finding("base64-of-hex"),)
    else:
        loose = _loose_base64(text)
        if loose:
            yield loose, (finding("base64-variant"), *extra)


def _base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        return b""


def _loose_base64(text: str) -> bytes:
    if not re.fullmatch(r"[A-Za-z0-9+/_-]{20,100}={0,2}", text, re.ASCII):
        return b""
    bare = text.rstrip("=").replace("+", "-").replace("/", "_")
    try:
        return urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except (Base64Error, ValueError):
        return b""


__all__ = [
    "ALGORITHMS",
    "FORMS",
    "GivenSignature",
    "Variant",
    "bodies_of",
    "bytes_of",
    "contents_of",
    "keys_of",
    "signatures_in",
]
