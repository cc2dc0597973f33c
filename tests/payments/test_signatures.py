"""Signatures: known answers that another program computed, and each way to be refused."""

from __future__ import annotations

import base64
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.signatures import (
    SecretInvalid,
    SignatureMalformed,
    SignatureMissing,
    SignatureRefused,
    SignatureWrong,
    SigningKey,
    TimestampMalformed,
    TimestampMissing,
    TimestampOutsideTolerance,
    WebhookIdMalformed,
    WebhookIdMissing,
    key_from_secret,
    secret_from_key,
    verify,
)
from payments.states import SignatureScheme

STANDARD = SignatureScheme.STANDARD_WEBHOOKS
PLAIN = SignatureScheme.PLAIN_HMAC
NOW = 1763600000
BODY = '{"amount": 125.50, "note": "Čeština"}'.encode()

# Computed with: printf '%s' "$ID.$TIMESTAMP.$BODY" | openssl dgst -sha256 -mac HMAC -macopt hexkey:… -binary | base64
SECRET = "whsec_d2hzZWMta2V5LWZvci10ZXN0cy0wMTIzNDU2Nzg5YWI="
SIGNATURE = "v1,KQJIRFsMj9QA4YJ5Ocb/CtmBr78MLQUJTwEaYNotQVc="
# Computed with: printf '%s' "$BODY" | openssl dgst -sha256 -hmac 'plain-secret-for-tests', and with "$TIMESTAMP.$BODY".
PLAIN_SECRET = "plain-secret-for-tests"
PLAIN_SIGNATURE = "sha256=33a47a71f40fb7e4677967e7a7f34b806cab5e995140fd8e645be49bc7844ef4"
PLAIN_SIGNATURE_WITH_TIME = "sha256=6bd9fe690d48eca7c86191932ec8255a39680994275fb992eb692505882881a5"

HEADERS = {"webhook-id": "msg_demo01", "webhook-timestamp": str(NOW), "webhook-signature": SIGNATURE}


def check(
    headers: dict[str, str],
    body: bytes = BODY,
    *,
    scheme: SignatureScheme = STANDARD,
    secrets: tuple[str, ...] = (SECRET,),
    expires: float | None = None,
    now: float = NOW,
    channel: str = "north",
) -> str:
    first, *others = (key_from_secret(secret, scheme) for secret in secrets)
    keys = (SigningKey(first), *(SigningKey(key, expires) for key in others))
    return verify(scheme, headers, body, keys=keys, channel=channel, tolerance_seconds=300, now_seconds=now)


def test_a_signature_that_openssl_made_is_accepted_and_the_webhook_id_is_the_receipt_key() -> None:
    assert check(HEADERS) == "msg_demo01"


def test_the_published_vector_of_the_standard_is_accepted() -> None:
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert check(headers, b'{"test": 2432232314}', secrets=(secret,), now=1614265330) == headers["webhook-id"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not on this machine")
def test_openssl_agrees_at_the_time_of_the_test() -> None:
    key = key_from_secret(SECRET, STANDARD).hex()
    content = f"msg_demo01.{NOW}.".encode() + BODY
    command = ["openssl", "dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{key}", "-hex"]
    digest = subprocess.run(command, input=content, capture_output=True, check=True).stdout.split()[-1]
    assert "v1," + base64.b64encode(bytes.fromhex(digest.decode())).decode() == SIGNATURE


@pytest.mark.parametrize("age", [-300, -299, 0, 299, 300])
def test_a_timestamp_within_the_tolerance_on_either_side_is_accepted(age: int) -> None:
    assert check(HEADERS, now=NOW + age) == "msg_demo01"


@pytest.mark.parametrize("age", [-301, 301, 10**9])
def test_a_timestamp_outside_the_tolerance_on_either_side_is_refused(age: int) -> None:
    with pytest.raises(TimestampOutsideTolerance):
        check(HEADERS, now=NOW + age)


@pytest.mark.parametrize(
    ("missing", "refusal", "code"),
    [
        ("webhook-id", WebhookIdMissing, "webhook-id-missing"),
        ("webhook-timestamp", TimestampMissing, "timestamp-missing"),
        ("webhook-signature", SignatureMissing, "signature-missing"),
    ],
)
@pytest.mark.parametrize("as_empty", [False, True])
def test_a_missing_header_is_named(missing: str, refusal: type[SignatureRefused], code: str, as_empty: bool) -> None:
    headers = {name: value for name, value in HEADERS.items() if name != missing} | ({missing: ""} if as_empty else {})
    with pytest.raises(refusal) as caught:
        check(headers)
    assert (caught.value.code, caught.value.status) == (code, 401)


@pytest.mark.parametrize(
    "timestamp", ["now", "1763600000.5", "-5", "+1763600000", " 1763600000", "17636000000000", "१७६३६०००००"]
)
def test_a_timestamp_that_is_not_whole_seconds_is_malformed(timestamp: str) -> None:
    with pytest.raises(TimestampMalformed):
        check(HEADERS | {"webhook-timestamp": timestamp})


@pytest.mark.parametrize("webhook_id", ["two words", "tab\there", "é", "x" * 256])
def test_a_webhook_id_that_cannot_be_a_key_is_malformed(webhook_id: str) -> None:
    with pytest.raises(WebhookIdMalformed):
        check(HEADERS | {"webhook-id": webhook_id})


@pytest.mark.parametrize(
    "header",
    ["v1", "v1,", "v1,not base64", "v2," + SIGNATURE[3:], SIGNATURE[3:], "v1,AAAA", ",".join([SIGNATURE] * 2)],
)
def test_a_signature_header_without_one_readable_v1_signature_is_malformed(header: str) -> None:
    with pytest.raises(SignatureMalformed):
        check(HEADERS | {"webhook-signature": header})


def test_more_signatures_than_a_rotation_needs_are_refused() -> None:
    with pytest.raises(SignatureMalformed):
        check(HEADERS | {"webhook-signature": " ".join([SIGNATURE] * 11)})


def test_any_signature_of_several_may_fit_and_other_versions_are_passed_over() -> None:
    wrong = "v1," + "A" * 43 + "="
    header = f"v1a,elsewhere {wrong} v1,broken {SIGNATURE}"
    assert check(HEADERS | {"webhook-signature": header}) == "msg_demo01"


@pytest.mark.parametrize(
    "change",
    [{"webhook-id": "msg_demo02"}, {"webhook-timestamp": str(NOW + 1)}, {"webhook-signature": "v1," + "A" * 43 + "="}],
)
def test_a_change_of_what_was_signed_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(SignatureWrong):
        check(HEADERS | change)


def test_the_raw_bytes_count_and_not_what_they_mean() -> None:
    with pytest.raises(SignatureWrong):
        check(HEADERS, BODY.replace(b": ", b":"))


def test_the_secret_before_is_accepted_until_it_expires() -> None:
    new = secret_from_key(b"n" * 32)
    assert check(HEADERS, secrets=(new, SECRET), expires=NOW + 1) == "msg_demo01"
    with pytest.raises(SignatureWrong):
        check(HEADERS, secrets=(new, SECRET), expires=NOW)


def test_plain_signatures_that_openssl_made_are_accepted_with_and_without_a_timestamp() -> None:
    without = check({"X-Signature": PLAIN_SIGNATURE}, scheme=PLAIN, secrets=(PLAIN_SECRET,))
    headers = {"X-Signature": PLAIN_SIGNATURE_WITH_TIME, "X-Timestamp": str(NOW)}
    assert check(headers, scheme=PLAIN, secrets=(PLAIN_SECRET,)) != without
    assert check({"X-Signature": PLAIN_SIGNATURE.upper().replace("SHA", "sha")}, scheme=PLAIN, secrets=(PLAIN_SECRET,))


def test_the_plain_receipt_key_is_a_digest_of_channel_timestamp_and_body() -> None:
    headers = {"X-Signature": PLAIN_SIGNATURE}
    first = check(headers, scheme=PLAIN, secrets=(PLAIN_SECRET,))
    assert len(first) == 64
    assert first == check(headers, scheme=PLAIN, secrets=(PLAIN_SECRET,))
    assert first != check(headers, scheme=PLAIN, secrets=(PLAIN_SECRET,), channel="south")


def test_a_plain_timestamp_is_signed_and_held_to_the_tolerance() -> None:
    headers = {"X-Signature": PLAIN_SIGNATURE_WITH_TIME, "X-Timestamp": str(NOW)}
    with pytest.raises(TimestampOutsideTolerance):
        check(headers, scheme=PLAIN, secrets=(PLAIN_SECRET,), now=NOW + 301)
    with pytest.raises(SignatureWrong):
        check(headers | {"X-Timestamp": str(NOW + 1)}, scheme=PLAIN, secrets=(PLAIN_SECRET,))
    with pytest.raises(SignatureWrong):
        check({"X-Signature": PLAIN_SIGNATURE_WITH_TIME}, scheme=PLAIN, secrets=(PLAIN_SECRET,))
    with pytest.raises(TimestampMalformed):
        check(headers | {"X-Timestamp": "soon"}, scheme=PLAIN, secrets=(PLAIN_SECRET,))


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({}, SignatureMissing),
        ({"X-Signature": "sha256=abc"}, SignatureMalformed),
        ({"X-Signature": PLAIN_SIGNATURE.removeprefix("sha256=")}, SignatureMalformed),
        ({"X-Signature": PLAIN_SIGNATURE.replace("sha256", "sha1")}, SignatureMalformed),
        ({"X-Signature": "sha256=" + "0" * 64}, SignatureWrong),
        # The other scheme's headers prove nothing here.
        (HEADERS, SignatureMissing),
    ],
)
def test_a_plain_signature_that_does_not_fit_is_refused(
    headers: dict[str, str], refusal: type[SignatureRefused]
) -> None:
    with pytest.raises(refusal):
        check(headers, scheme=PLAIN, secrets=(PLAIN_SECRET,))


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_%%%", secret_from_key(b"k" * 23), secret_from_key(b"k" * 65), SECRET[6:]]
)
def test_a_secret_of_the_wrong_form_is_refused_without_being_repeated(secret: str) -> None:
    with pytest.raises(SecretInvalid) as caught:
        key_from_secret(secret, STANDARD)
    assert not secret or secret == "whsec_" or secret not in caught.value.detail


@pytest.mark.parametrize("secret", ["", "short", "x" * 256, "with\nline ends in it"])
def test_a_plain_secret_of_the_wrong_form_is_refused(secret: str) -> None:
    with pytest.raises(SecretInvalid):
        key_from_secret(secret, PLAIN)


@given(key=st.binary(min_size=24, max_size=64))
def test_every_key_survives_the_way_through_its_text(key: bytes) -> None:
    assert key_from_secret(secret_from_key(key), STANDARD) == key


@given(header=st.text(max_size=200), body=st.binary(max_size=50))
def test_no_header_breaks_the_check_and_none_passes_by_chance(header: str, body: bytes) -> None:
    with pytest.raises(SignatureRefused):
        check(HEADERS | {"webhook-signature": header}, body + b"x")
    with pytest.raises(SignatureRefused):
        check({"X-Signature": header, "X-Timestamp": header}, body, scheme=PLAIN, secrets=(PLAIN_SECRET,))
