"""The signature doctor: each mistake is really made, really refused by the webhook's check, and then found."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import ipaddress
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from payments.signaturedoctor import (
    CAUSES,
    Certainty,
    Diagnosis,
    GivenRequest,
    HeadersUnreadable,
    KnownChannel,
    diagnose,
    read_headers,
)
from payments.signatures import SignatureRefused, SigningKey, key_from_secret, verify
from tests.payments.missigned import (
    BODY,
    EVERY_SECRET,
    LIMIT,
    MISTAKES,
    NOW,
    OLD_KEY,
    OTHERS,
    PLAIN_CHANNEL,
    PLAIN_MISTAKES,
    PLAIN_SECRET,
    STANDARD_CHANNEL,
    b64,
    mac,
    plain,
    standard,
    written,
)


def examined(request: GivenRequest, channel: KnownChannel | None = STANDARD_CHANNEL, **kwargs: Any) -> Diagnosis:
    return diagnose(request, channel, others=OTHERS, now_seconds=float(NOW), max_body_bytes=LIMIT, **kwargs)


def codes(diagnosis: Diagnosis) -> list[str]:
    return [found.code for found in diagnosis.findings]


def is_let_in(request: GivenRequest, channel: KnownChannel) -> bool:
    """What the webhook itself says of these headers and this body."""
    headers = dict(request.headers)
    keys = tuple(
        SigningKey(key_from_secret(secret.text, channel.scheme), secret.expires_at_seconds)
        for secret in channel.secrets
    )
    try:
        verify(
            channel.scheme,
            headers,
            request.body or b"",
            keys=keys,
            channel=channel.slug,
            tolerance_seconds=channel.tolerance_seconds,
            now_seconds=float(NOW),
        )
    except SignatureRefused:
        return False
    return True


def assert_nothing_leaks(diagnosis: Diagnosis, request: GivenRequest) -> None:
    said = repr(diagnosis)
    for secret in EVERY_SECRET:
        for form in (secret.decode(), b64(secret), secret.hex(), base64.b32encode(secret).decode()):
            assert form not in said
    assert BODY.decode() not in said
    assert "Čeština" not in said
    signature = request.value("webhook-signature") or request.value("X-Signature")
    assert not signature or signature not in said


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_standard_webhooks_is_refused_and_then_found(name: str) -> None:
    request, expected = MISTAKES[name]
    assert not is_let_in(request, STANDARD_CHANNEL)
    diagnosis = examined(request)
    assert codes(diagnosis) == expected
    assert not diagnosis.is_accepted
    assert_nothing_leaks(diagnosis, request)


@pytest.mark.parametrize("name", PLAIN_MISTAKES)
def test_a_mistake_in_the_plain_scheme_is_refused_and_then_found(name: str) -> None:
    request, expected = PLAIN_MISTAKES[name]
    assert not is_let_in(request, PLAIN_CHANNEL)
    diagnosis = examined(request, PLAIN_CHANNEL)
    assert codes(diagnosis) == expected
    assert_nothing_leaks(diagnosis, request)


@pytest.mark.parametrize(
    ("request_", "channel"),
    [
        (standard(), STANDARD_CHANNEL),
        (standard(webhook_signature="v1,AAAA " + standard().value("webhook-signature")), STANDARD_CHANNEL),
        (standard(at=NOW - 300), STANDARD_CHANNEL),
        (plain(), PLAIN_CHANNEL),
        (plain(X_Timestamp=None, content=""), PLAIN_CHANNEL),
        (plain(written="sha256={hex}".upper().replace("SHA256", "sha256").replace("HEX", "hex")), PLAIN_CHANNEL),
    ],
)
def test_a_proper_request_is_let_in_and_found_well(request_: GivenRequest, channel: KnownChannel) -> None:
    assert is_let_in(request_, channel)
    diagnosis = examined(request_, channel)
    assert (codes(diagnosis), diagnosis.is_accepted) == (["request-fine"], True)


def test_a_signature_in_capital_hexadecimal_digits_is_let_in_under_the_plain_scheme() -> None:
    request = plain(X_Signature="sha256=" + mac(PLAIN_SECRET.encode(), f"{NOW}.".encode() + BODY).hex().upper())
    assert is_let_in(request, PLAIN_CHANNEL)
    assert codes(examined(request, PLAIN_CHANNEL)) == ["request-fine"]


def test_the_clock_is_told_in_seconds_and_by_side() -> None:
    behind, ahead = examined(standard(at=NOW - 4000)), examined(standard(at=NOW + 512))
    assert "4,000 s behind our clock; at most 300 s" in behind.findings[0].text
    assert "512 s ahead of our clock" in ahead.findings[0].text


def test_an_unknown_channel_says_nothing_else() -> None:
    assert codes(examined(standard(), None)) == ["channel-unknown"]


@pytest.mark.parametrize(
    ("change", "request_", "expected"),
    [
        ({"is_active": False}, standard(), ["channel-inactive"]),
        ({"secrets": ()}, standard(), ["channel-unusable", "signature-unexplained"]),
        (
            {"networks": [ipaddress.ip_network("203.0.113.0/24")]},
            dataclasses.replace(standard(), source_address="198.51.100.7"),
            ["address-not-allowed"],
        ),
        (
            {"networks": [ipaddress.ip_network("203.0.113.0/24")]},
            dataclasses.replace(standard(), source_address="203.0.113.7"),
            ["request-fine"],
        ),
        ({}, standard(content_type="text/plain"), ["content-type-unsupported"]),
        ({}, standard(content_type="application/json; charset=utf-8"), ["request-fine"]),
        ({}, standard(content_encoding="gzip"), ["content-encoding-unsupported"]),
        ({}, standard(b" " * (LIMIT + 1)), ["body-too-large"]),
        ({}, dataclasses.replace(standard(), problem_code="rate-limited"), ["rate-limited"]),
        ({}, dataclasses.replace(standard(), id_digest="0" * 64), ["id-reused"]),
        ({}, dataclasses.replace(standard(), id_digest=hashlib.sha256(BODY).hexdigest()), ["request-fine"]),
        ({}, dataclasses.replace(standard(), problem_code="notice-invalid"), ["content-refused"]),
    ],
)
def test_what_our_settings_and_the_shape_of_the_request_say(
    change: Mapping[str, Any], request_: GivenRequest, expected: list[str]
) -> None:
    assert codes(examined(request_, dataclasses.replace(STANDARD_CHANNEL, **change))) == expected


def test_a_header_that_came_twice_is_named() -> None:
    request = standard()
    request = dataclasses.replace(request, headers=[*request.headers, request.headers[0]])
    assert "webhook-id was sent more than once" in examined(request).findings[0].text


def test_the_digest_of_a_receipt_shows_that_the_body_was_altered_on_its_way() -> None:
    arrived = hashlib.sha256(b"quite another body").hexdigest()
    diagnosis = examined(dataclasses.replace(standard(), arrived_digest=arrived))
    assert codes(diagnosis) == ["body-altered"]
    same = hashlib.sha256(BODY).hexdigest()
    assert codes(examined(dataclasses.replace(standard(), arrived_digest=same))) == ["request-fine"]


def test_the_digest_of_a_receipt_shows_which_form_of_the_pasted_body_arrived() -> None:
    compact = written(separators=(",", ":"))
    request = dataclasses.replace(standard(), arrived_digest=hashlib.sha256(compact).hexdigest())
    assert codes(examined(request)) == ["body-altered"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("channel-unknown", ["channel-unknown"]),
        ("channel-unusable", ["channel-unusable"]),
        ("address-not-allowed", ["address-not-allowed"]),
        ("rate-limited", ["rate-limited"]),
        ("content-type-unsupported", ["content-type-unsupported"]),
        ("webhook-id-missing", ["id-missing"]),
        ("webhook-id-malformed", ["id-malformed"]),
        ("webhook-id-reused", ["id-reused"]),
        ("timestamp-missing", ["timestamp-missing"]),
        ("timestamp-malformed", ["timestamp-malformed"]),
        ("notice-invalid", ["content-refused"]),
        ("signature-wrong", []),
    ],
)
def test_the_answers_code_alone_says_as_much_as_it_can(code: str, expected: list[str]) -> None:
    assert codes(examined(GivenRequest(problem_code=code))) == expected


def test_proof_is_told_from_likelihood() -> None:
    assert {found.certainty for found in examined(standard(key=OLD_KEY)).findings} == {Certainty.PROVED}
    assert {found.certainty for found in examined(standard(key=b"unheard of")).findings} == {Certainty.LIKELY}


def test_every_cause_says_what_is_wrong_and_what_to_change() -> None:
    assert len(CAUSES) >= 40
    for cause in CAUSES.values():
        assert cause.text.endswith(".")
        assert cause.change


@pytest.mark.parametrize(
    ("pasted", "read"),
    [
        ("webhook-id: msg_1\nwebhook-timestamp:1", [("webhook-id", "msg_1"), ("webhook-timestamp", "1")]),
        ("> POST /x HTTP/1.1\n> X-Signature: sha256=ab\n>\n", [("X-Signature", "sha256=ab")]),
        ("-H 'webhook-id: msg_1' \\\n--header \"A: b\"", [("webhook-id", "msg_1"), ("A", "b")]),
        ("", []),
    ],
)
def test_pasted_headers_are_read(pasted: str, read: list[tuple[str, str]]) -> None:
    assert read_headers(pasted) == read


def test_a_line_that_is_no_header_is_named() -> None:
    with pytest.raises(HeadersUnreadable, match="2"):
        read_headers("a: b\nnonsense")


@given(
    signature=st.text(max_size=200),
    timestamp=st.text(max_size=20),
    webhook_id=st.text(max_size=20),
    body=st.binary(max_size=200),
)
@example(signature="v1," + "A" * 44, timestamp="9" * 13, webhook_id="\ud800", body=b'{"id": ["\\ud800"]}')
@example(signature="v1,é", timestamp="٣", webhook_id="", body=b"[" * 5000)
def test_whatever_is_pasted_gives_a_diagnosis(signature: str, timestamp: str, webhook_id: str, body: bytes) -> None:
    headers = [("webhook-signature", signature), ("webhook-timestamp", timestamp), ("webhook-id", webhook_id)]
    for channel in (STANDARD_CHANNEL, PLAIN_CHANNEL):
        assert codes(examined(GivenRequest(headers, body, float(NOW)), channel))
