"""The order of the doctor's questions: what our settings say, what the headers say, then what the signature says."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from payments.signaturedoctor.causes import Certainty, Finding, finding
from payments.signaturedoctor.given import GivenRequest, KnownChannel, KnownSecret, digest_of
from payments.signaturedoctor.search import Fit, Search
from payments.signaturedoctor.variants import FORMS, Variant, bodies_of, bytes_of, contents_of, keys_of, signatures_in
from payments.signatures import (
    ID_HEADER,
    MAX_SIGNATURES,
    PLAIN_SIGNATURE_HEADER,
    PLAIN_TIMESTAMP_HEADER,
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    SignatureRefused,
    SigningKey,
    key_from_secret,
    verify,
)
from payments.states import SignatureScheme

STANDARD = SignatureScheme.STANDARD_WEBHOOKS
PLAIN = SignatureScheme.PLAIN_HMAC
SCHEME_NAMES = {STANDARD: "Standard Webhooks (webhook-signature)", PLAIN: "plain HMAC (X-Signature)"}
SIGNATURE_HEADERS = {STANDARD: SIGNATURE_HEADER, PLAIN: PLAIN_SIGNATURE_HEADER}
TIMESTAMP_HEADERS = {STANDARD: TIMESTAMP_HEADER, PLAIN: PLAIN_TIMESTAMP_HEADER}
OTHER_ID_HEADERS = ("svix-id", "x-webhook-id", "webhook_id", "x-message-id", "message-id", "x-request-id")
OTHER_TIMESTAMP_HEADERS = ("svix-timestamp", "x-webhook-timestamp", "webhook_timestamp", "x-request-timestamp")
OTHER_SIGNATURE_HEADERS = (
    "svix-signature", "x-webhook-signature", "webhook_signature", "x-hub-signature-256", "x-hub-signature",
    "x-hmac-sha256", "x-hmac-signature", "signature", "authorization",
)  # fmt: skip
# A clock that is further off than this has something else wrong with it than its drift.
MILLISECONDS_NEAR_SECONDS = 10 * 366 * 86400
_json_type = re.compile(r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json\s*(?:;\s*charset\s*=\s*\"?utf-?8\"?\s*)?", re.I)
_visible_id = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Every cause that was found, the one that refused the request first. `tried` counts calculations of signatures."""

    findings: tuple[Finding, ...]
    tried: int = 0

    @property
    def is_accepted(self) -> bool:
        return all(found.code == "request-fine" for found in self.findings)


@dataclass(frozen=True, slots=True)
class _Parts:
    """What the sender meant as signature, id and timestamp, whatever headers they came in."""

    scheme: SignatureScheme
    signature: str
    webhook_id: str
    timestamp: str
    meaning: tuple[Finding, ...]


def diagnose(
    request: GivenRequest,
    channel: KnownChannel | None,
    *,
    others: Sequence[KnownSecret] = (),
    now_seconds: float,
    max_body_bytes: int,
) -> Diagnosis:
    """Why this request was, or would be, refused. Its time is received_at, else now_seconds (Unix time).

    `others` are secrets of other channels, tried last. Nothing that comes out holds a secret, a key or the body.
    """
    if channel is None:
        return Diagnosis((finding("channel-unknown"),))
    found = [*_of_settings(request, channel), *_of_shape(request, max_body_bytes)]
    if request.headers:
        signed, tried = _of_signature(request, channel, others, request.received_at or now_seconds)
        return Diagnosis(_in_order([*found, *signed]), tried)
    found += [known for known in of_code(request.problem_code) if known.code not in {one.code for one in found}]
    return Diagnosis(_in_order(found))


def of_code(problem_code: str) -> list[Finding]:
    """What the code of an answer says by itself, for a request of which nobody has the headers any more."""
    code = _CODES.get(problem_code)
    if code is None:
        return []
    return [finding(code, evidence=f"The answer was {problem_code}.", header=TIMESTAMP_HEADER)]


_CODES = {
    "channel-unknown": "channel-unknown",
    "channel-unusable": "channel-unusable",
    "address-not-allowed": "address-not-allowed",
    "rate-limited": "rate-limited",
    "content-type-unsupported": "content-type-unsupported",
    "webhook-id-missing": "id-missing",
    "webhook-id-malformed": "id-malformed",
    "webhook-id-reused": "id-reused",
    "timestamp-malformed": "timestamp-malformed",
    "notice-invalid": "content-refused",
    "json-invalid": "content-refused",
    "not-approved": "content-refused",
    "timestamp-missing": "timestamp-missing",
}


def _in_order(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Each cause once; that all is well is said only when nothing else is."""
    once = {(one.code, one.text): one for one in found}
    rest = [one for one in once.values() if one.code != "request-fine"]
    return tuple(rest or once.values())


def _of_settings(request: GivenRequest, channel: KnownChannel) -> Iterator[Finding]:
    if not channel.is_active:
        yield finding("channel-inactive", evidence="It is marked so in our settings.")
    elif not channel.secrets:
        yield finding("channel-unusable")
    if channel.networks and request.source_address:
        try:
            address = ipaddress.ip_address(request.source_address)
        except ValueError:
            return
        if not any(address in network for network in channel.networks):
            yield finding("address-not-allowed", evidence=f"{address} is in none of the channel's ranges.")
    if request.problem_code == "rate-limited":
        yield finding("rate-limited", evidence="The answer was 429.")


def _of_shape(request: GivenRequest, max_body_bytes: int) -> Iterator[Finding]:
    body = request.body
    if body is not None and len(body) > max_body_bytes:
        yield finding("body-too-large", size=len(body), limit=max_body_bytes)
    if request.count("content-type") and not _json_type.fullmatch(request.value("content-type")):
        yield finding("content-type-unsupported")
    if request.value("content-encoding").lower() not in ("", "identity"):
        yield finding("content-encoding-unsupported")
    for header in (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER, PLAIN_SIGNATURE_HEADER, PLAIN_TIMESTAMP_HEADER):
        if request.count(header) > 1:
            yield finding("header-repeated", header=header)


def _of_signature(
    request: GivenRequest, channel: KnownChannel, others: Sequence[KnownSecret], at: float
) -> tuple[list[Finding], int]:
    parts = _parts(request, channel.scheme)
    found = list(parts.meaning)
    if parts.timestamp:
        found += _of_time(parts.timestamp, channel, at)
    if not parts.signature:
        return found, 0
    signatures = signatures_in(parts.signature, parts.scheme)
    if parts.scheme is STANDARD and len(parts.signature.split()) > MAX_SIGNATURES:
        found.append(finding("too-many-signatures", limit=MAX_SIGNATURES))
    if request.body is None or not signatures:
        if not signatures:
            found.append(
                finding("signature-malformed", header=SIGNATURE_HEADERS[parts.scheme], form=FORMS[parts.scheme])
            )
        return found, 0
    search = Search(signatures)
    more = _of_search(search, request, channel, parts, others, at)
    if not found and not more:
        more = _of_reuse(request, channel, at)
    return [*found, *more], search.tried


def _parts(request: GivenRequest, scheme: SignatureScheme) -> _Parts:
    meaning: list[Finding] = []
    meant = scheme
    header = SIGNATURE_HEADERS[scheme]
    signature = request.value(header)
    if not signature:
        other = PLAIN if scheme is STANDARD else STANDARD
        signature = request.value(SIGNATURE_HEADERS[other])
        if signature:
            meant = other
            meaning.append(finding("scheme-other", came=SCHEME_NAMES[other], expected=SCHEME_NAMES[scheme]))
        else:
            renamed = _first(request, OTHER_SIGNATURE_HEADERS)
            signature = request.value(renamed) if renamed else ""
            if renamed == "authorization":
                signature = signature.rpartition(" ")[2]
            code = "signature-renamed" if renamed else "signature-missing"
            meaning.append(finding(code, header=renamed or header, expected=header))
    webhook_id, id_meaning = _webhook_id(request, meant)
    timestamp = request.value(TIMESTAMP_HEADERS[meant])
    if not timestamp:
        renamed = _first(request, OTHER_TIMESTAMP_HEADERS)
        timestamp = request.value(renamed) if renamed else ""
        if meant is STANDARD:
            id_meaning.append(finding("timestamp-missing", header=TIMESTAMP_HEADERS[meant]))
    return _Parts(meant, signature, webhook_id, timestamp, (*meaning, *id_meaning))


def _webhook_id(request: GivenRequest, meant: SignatureScheme) -> tuple[str, list[Finding]]:
    webhook_id = request.value(ID_HEADER)
    if meant is PLAIN:
        return webhook_id, []
    if not webhook_id:
        renamed = _first(request, OTHER_ID_HEADERS)
        if renamed:
            return request.value(renamed), [finding("id-renamed", header=renamed)]
        return "", [finding("id-missing")]
    return webhook_id, [] if _visible_id.fullmatch(webhook_id) else [finding("id-malformed")]


def _first(request: GivenRequest, names: Sequence[str]) -> str:
    return next((name for name in names if request.value(name)), "")


def _of_time(timestamp: str, channel: KnownChannel, at: float) -> Iterator[Finding]:
    if not re.fullmatch(r"[0-9]{1,20}", timestamp):
        yield finding("timestamp-malformed")
        return
    if len(timestamp) >= 12:
        is_near = abs(int(timestamp) / 1000 - at) < MILLISECONDS_NEAR_SECONDS
        yield finding("timestamp-milliseconds" if is_near else "timestamp-malformed")
        return
    distance = at - int(timestamp)
    if abs(distance) > channel.tolerance_seconds:
        code = "clock-behind" if distance > 0 else "clock-ahead"
        yield finding(
            code,
            evidence="The timestamp was compared with the time of arrival.",
            seconds=round(abs(distance)),
            tolerance=channel.tolerance_seconds,
        )


def _of_search(
    search: Search,
    request: GivenRequest,
    channel: KnownChannel,
    parts: _Parts,
    others: Sequence[KnownSecret],
    at: float,
) -> list[Finding]:
    body = request.body or b""
    keys = list(keys_of(channel, others, at, parts.scheme))
    contents = contents_of(channel, request, parts.webhook_id, parts.timestamp, parts.scheme)
    bodies = _bodies(body, request.arrived_digest)
    fit = search.fit(keys, contents, bodies)
    if fit is not None:
        return _of_fit(fit, request)
    if not parts.timestamp:
        stripped = _stripped_timestamp(search, keys, parts, body, at)
        if stripped:
            return [stripped]
    if search.is_plain_digest(keys, contents, body):
        return [finding("hash-without-key", evidence="The digest of the signed text is the signature.")]
    return [finding("signature-unexplained", Certainty.LIKELY, tried=search.tried)]


def _bodies(body: bytes, arrived_digest: str) -> list[Variant]:
    """The body and its variants; where a receipt tells which of them arrived, that one is the one without fault."""
    variants = bodies_of(body)
    arrived = next((one for one in variants if digest_of(one.part) == arrived_digest), None)
    if arrived is None or not arrived.weight:
        return variants
    return [
        Variant(arrived.part),
        *(Variant(one.part, one.meaning or _PASTED) for one in variants if one is not arrived),
    ]


_PASTED = (finding("body-altered", evidence="The receipt's digest is that of the same body in another form."),)


def _of_fit(fit: Fit, request: GivenRequest) -> list[Finding]:
    proof = "The signature matches when it is calculated so."
    found = [Finding(one.code, one.text, one.change, one.certainty, one.evidence or proof) for one in fit.findings]
    if request.arrived_digest and request.body is not None and not fit.body.weight:
        is_known = any(
            hmac.compare_digest(digest_of(one.part), request.arrived_digest) for one in bodies_of(request.body)
        )
        if not is_known:
            found.append(finding("body-altered", evidence="The receipt keeps the digest of another body."))
    return found


def _stripped_timestamp(
    search: Search, keys: Sequence[Variant], parts: _Parts, body: bytes, at: float
) -> Finding | None:
    before = bytes_of(f"{parts.webhook_id}.") if parts.scheme is STANDARD else b""
    for key in keys:
        if key.weight:
            continue
        second = search.stripped_timestamp(key.part, body, before, at)
        if second is not None:
            side = "before" if second <= at else "after"
            header = TIMESTAMP_HEADERS[parts.scheme]
            evidence = "The signature matches with that timestamp."
            return finding(
                "timestamp-stripped", evidence=evidence, header=header, seconds=round(abs(at - second)), side=side
            )
    return None


def _of_reuse(request: GivenRequest, channel: KnownChannel, at: float) -> list[Finding]:
    """The signature is right: asks the very check of the webhook as the last word, and looks at the id's past."""
    body = request.body or b""
    if request.id_digest and not hmac.compare_digest(request.id_digest, digest_of(body)):
        return [finding("id-reused", evidence="A receipt keeps the digest of the first body under this id.")]
    names = (ID_HEADER, TIMESTAMP_HEADER, SIGNATURE_HEADER, PLAIN_SIGNATURE_HEADER, PLAIN_TIMESTAMP_HEADER)
    headers = {name: request.value(name) for name in names if request.value(name)}
    keys = tuple(
        SigningKey(key_from_secret(secret.text, channel.scheme), secret.expires_at_seconds)
        for secret in channel.secrets
    )
    try:
        verify(
            channel.scheme, headers, body, keys=keys, channel=channel.slug,
            tolerance_seconds=channel.tolerance_seconds, now_seconds=at,
        )  # fmt: skip
    except SignatureRefused as refusal:
        return [finding("signature-unexplained", Certainty.LIKELY, evidence=f"The check says {refusal.code}.", tried=1)]
    return [*of_code(request.problem_code), finding("request-fine")]
