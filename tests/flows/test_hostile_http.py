"""Hostile HTTP at the real server: bodies cut short, lengths that lie, headers smuggled in, bombs and slow senders."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Iterator

import pytest
from pytest_django.plugin import DjangoDbBlocker

from payments.models import Payment, WebhookReceipt
from tests.faults.test_supervisor import wait_for
from tests.flows.hostility import PRIVATE, assert_nothing_recorded, assert_said_nothing, notice
from tests.flows.webserver import Header, WebServer, answer_on, chunked, request_of
from tests.payments.staged import everything_counted
from tests.payments.webhooks import make_channel, raw, signed

pytestmark = pytest.mark.django_db(transaction=True)
_numbers = itertools.count(1)
CHUNKED = ("Transfer-Encoding", "chunked")


@pytest.fixture(scope="module")
def server(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[WebServer]:
    with django_db_blocker.unblock(), WebServer() as running:
        yield running


@pytest.fixture(autouse=True)
def _known_channel(server: WebServer) -> Iterator[None]:
    """The channel, once the server knows it; and after each test, a log that repeats nothing of what was sent."""
    make_channel()
    assert wait_for(lambda: server.ask(request_of(b"", length(0), signing=[])) == (401, "webhook-id-missing"), 15)
    WebhookReceipt.objects.all().delete()
    yield
    assert "refuse_webhook" in server.log()
    assert_said_nothing([server.log()])


def length(number: int | str) -> Header:
    return ("Content-Length", str(number))


def good() -> bytes:
    """A new notice each time: the server remembers references although the tables are emptied."""
    return raw(notice(reference_number=f"HTTP-{next(_numbers)}"))


def signing(body: bytes, **changes: str) -> list[Header]:
    headers = signed(body, webhook_id=f"msg_{next(_numbers)}")
    return [(name, changes.get(name.removeprefix("webhook-"), value)) for name, value in headers.items()]


def whole(body: bytes, *headers: Header, **changes: str) -> bytes:
    return request_of(body, length(len(body)), *headers, signing=signing(body, **changes))


BOMB = gzip.compress(b" " * 50_000_000)
# What is sent, whether the sender then hangs up, and the answer. Without a code it is the server's own refusal.
CASES: dict[str, tuple[Callable[[], bytes], bool, tuple[int, str]]] = {
    "a body that ends early": (
        lambda: request_of(body := good(), length(len(body) + 5), signing=signing(body)),
        True,
        (400, "body-unreadable"),
    ),
    "a length that is too short": (
        lambda: request_of(body := good(), length(len(body) - 5), signing=signing(body)),
        False,
        (401, "signature-wrong"),
    ),
    "a length of nothing": (
        lambda: request_of(b"", length(0), signing=signing(good())),
        False,
        (401, "signature-wrong"),
    ),
    "an empty body, signed": (lambda: whole(b""), False, (400, "json-invalid")),
    "a length of a gigabyte": (
        lambda: request_of(b"", length(10**9), signing=signing(b"")),
        False,
        (413, "body-too-large"),
    ),
    "a length of thirty digits": (lambda: request_of(b"", length("9" * 30), signing=signing(b"")), True, (400, "")),
    "a negative length": (lambda: request_of(good(), length(-1), signing=signing(b"")), True, (400, "")),
    "a length with a sign": (lambda: request_of(b"{}", length("+2"), signing=signing(b"{}")), True, (400, "")),
    "a length in words": (lambda: request_of(b"{}", length("two"), signing=signing(b"{}")), True, (400, "")),
    "two lengths that differ": (
        lambda: request_of(b"{}", length(2), length(1), signing=signing(b"{}")),
        True,
        (400, ""),
    ),
    "no length at all": (lambda: request_of(body := good(), signing=signing(body)), True, (401, "signature-wrong")),
    "chunks above the limit": (
        lambda: request_of(chunked(b" " * 300_000, 60_000) + b"0\r\n\r\n", CHUNKED, signing=signing(b" ")),
        False,
        (413, "body-too-large"),
    ),
    "chunks that end early": (
        lambda: request_of(chunked(body := good())[:-60], CHUNKED, signing=signing(body)),
        True,
        (401, "signature-wrong"),
    ),
    "a chunk without a size": (
        lambda: request_of(b"zz\r\n" + good(), CHUNKED, signing=signing(good())),
        True,
        (401, "signature-wrong"),
    ),
    "chunks of a compressed body": (
        lambda: request_of(
            chunked(gzip.compress(body := good())) + b"0\r\n\r\n",
            ("Transfer-Encoding", "gzip, chunked"),
            signing=signing(body),
        ),
        False,
        (401, "signature-wrong"),
    ),
    "a gzip bomb": (lambda: whole(BOMB, ("Content-Encoding", "gzip")), False, (415, "content-type-unsupported")),
    "a gzip body that does not say so": (lambda: whole(gzip.compress(good())), False, (400, "json-invalid")),
    "a body of 5 MB": (lambda: whole(raw(notice(metadata={"x": "y" * 5_000_000}))), False, (413, "body-too-large")),
    "a line break in the id": (lambda: whole(good(), id="m\r\nX-Evil: 1"), False, (401, "signature-wrong")),
    "a bare line feed in the id": (lambda: whole(good(), id="m\nX-Evil: 1"), False, (401, "signature-wrong")),
    "a carriage return in the id": (lambda: whole(good(), id="m\rX-Evil: 1"), True, (400, "")),
    "NUL in the id": (lambda: whole(good(), id="m\x00"), True, (400, "")),
    "a folded header": (lambda: whole(good(), id="m\r\n folded"), True, (400, "")),
    "a blank behind a header's name": (lambda: whole(good(), ("X-Evil ", "1")), True, (400, "")),
    "an id that is not ASCII": (lambda: whole(good(), id="m\u00e9"), False, (401, "webhook-id-missing")),
    "the id twice": (lambda: whole(good(), ("webhook-id", "other")), False, (401, "signature-wrong")),
    "the signature twice": (
        lambda: whole(good(), ("webhook-signature", "v1," + "A" * 43 + "=")),
        False,
        (401, "signature-malformed"),
    ),
    "the timestamp twice": (lambda: whole(good(), ("webhook-timestamp", "1")), False, (401, "timestamp-malformed")),
    "a header of a megabyte": (lambda: whole(good(), ("X-Pad", "a" * 1_000_000)), False, (431, "")),
    "three hundred headers": (lambda: whole(good(), *[(f"X-{n}", "a") for n in range(300)]), False, (431, "")),
    "GET with a body": (
        lambda: request_of(b"{}", length(2), signing=signing(b"{}"), first="GET /api/v1/payments/webhook HTTP/1.1"),
        False,
        (405, "method-not-allowed"),
    ),
    "a version of HTTP that there is not": (
        lambda: request_of(b"{}", length(2), signing=signing(b"{}"), first="POST /api/v1/payments/webhook HTTP/9.9"),
        True,
        (400, ""),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_hostile_http_is_refused_and_nothing_is_recorded(name: str, server: WebServer) -> None:
    make, ends, expected = CASES[name]
    try:
        answer = server.ask(make(), ends=ends)
    except ConnectionError:
        # The server may hang up on what it refuses before the sender has finished.
        answer = (0, "")
    assert answer == expected or (answer[0] == 0 and expected[1] in ("", "body-too-large"))
    assert_nothing_recorded()
    assert set(WebhookReceipt.objects.values_list("outcome", flat=True)) <= {"refused"}
    assert server.ask(whole(good()))[0] == 201


def test_a_body_in_chunks_is_read_whole(server: WebServer) -> None:
    body = good()
    request = request_of(chunked(body) + b"0\r\n\r\n", CHUNKED, signing=signing(body))
    assert server.ask(request) == (201, "created")
    assert everything_counted()["payments"] == 1


def test_a_length_beside_chunks_cannot_smuggle_a_second_request(server: WebServer) -> None:
    body, hidden = good(), whole(good())
    request = request_of(chunked(body) + b"0\r\n\r\n", length(len(body)), CHUNKED, signing=signing(body))
    with server.connect() as connected:
        connected.sendall(request + hidden)
        first = answer_on(connected)
    # What stands behind the last chunk is another request, signed for itself, and never a part of the first.
    assert first == (201, "created")
    assert wait_for(lambda: Payment.objects.count() in (1, 2), 10)
    assert Payment.objects.count() == everything_counted()["outbox_event"]


def test_bytes_behind_a_short_length_are_no_request_that_counts(server: WebServer) -> None:
    body = good()
    forged = request_of(b"{}", length(2), signing=[("webhook-id", "x")])
    with server.connect() as connected:
        connected.sendall(request_of(body + forged, length(len(body)), signing=signing(body)))
        assert answer_on(connected) == (201, "created")
        assert answer_on(connected) == (401, "timestamp-missing")
    assert Payment.objects.count() == 1


def test_a_slow_body_is_awaited_and_holds_up_nobody_else(server: WebServer) -> None:
    slow = good()
    request = whole(slow)
    with server.connect() as connected:
        connected.sendall(request[: -len(slow) + 10])
        assert server.ask(whole(good())) == (201, "created")
        connected.sendall(slow[10:])
        assert answer_on(connected) == (201, "created")
    assert Payment.objects.count() == 2


def test_a_sender_who_hangs_up_within_the_body_leaves_nothing(server: WebServer) -> None:
    body = good()
    for part in (0, 10, len(body) - 1):
        with server.connect() as connected:
            connected.sendall(request_of(body[:part], length(len(body)), signing=signing(body)))
    assert server.ask(whole(good())) == (201, "created")
    assert Payment.objects.count() == 1


def test_the_log_of_the_server_knows_requests_and_none_of_their_content(server: WebServer) -> None:
    assert server.ask(whole(raw(notice(amount=-1))))[1] == "notice-invalid"
    assert wait_for(lambda: "notice-invalid" in server.log(), 10)
    assert not [text for text in PRIVATE if text in server.log()]
