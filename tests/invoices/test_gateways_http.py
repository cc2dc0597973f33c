"""A call is done, refused, certainly without effect, or of unknown outcome: at every place where it can break."""

from __future__ import annotations

import datetime
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from invoices.gateways import http
from invoices.gateways.errors import (
    AnswerUnusable,
    GatewayDown,
    GatewayKeyRefused,
    KeyUsedOtherwise,
    OutcomeUnknown,
    StillRunning,
)
from invoices.gateways.http import Access, OutsideSystem
from tests.invoices.rawserver import KEY, SECRET, Play, RawServer, Request, answer, be_silent, reset

SECONDS = 1.0


def system_at(url: str, *, seconds: float = SECONDS) -> OutsideSystem:
    return OutsideSystem(Access("card gateway", url, KEY, SECRET, seconds), sleep=lambda seconds: None)


def write(url: str, *, seconds: float = SECONDS) -> http.Answer:
    return system_at(url, seconds=seconds).write("/things", {"amount": "1.15"}, key="REG00000001")


def sends(*parts: bytes, then: Callable[[socket.socket], None] = socket.socket.close) -> Play:
    def play(connection: socket.socket, request: Request, number: int) -> None:
        for part in parts:
            connection.sendall(part)
        then(connection)

    return play


def drips(text: bytes) -> Play:
    """A byte now and then, each in good time, without an end in sight."""

    def play(connection: socket.socket, request: Request, number: int) -> None:
        for byte in text:
            connection.sendall(bytes([byte]))
            time.sleep(0.05)

    return play


def answers(**given: Any) -> Play:
    return lambda connection, request, number: connection.sendall(answer(request, **given))


HEAD = b"HTTP/1.1 200 So\r\nContent-Length: 400\r\n"
BROKEN_AFTER_SENDING: dict[str, Play] = {
    "closed without a word": sends(),
    "reset without a word": sends(then=reset),
    "closed in the status line": sends(b"HTTP/1.1 20"),
    "reset in the headers": sends(HEAD, then=reset),
    "closed before the body": sends(HEAD + b"\r\n"),
    "closed in the body": sends(HEAD + b"\r\n{"),
    "reset in the body": sends(HEAD + b"\r\n{", then=reset),
    "closed in a chunk": sends(b"HTTP/1.1 200 So\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{"),
    "silent from the start": sends(then=be_silent),
    "silent in the headers": sends(HEAD, then=be_silent),
    "silent in the body": sends(HEAD + b"\r\n{", then=be_silent),
    "headers that never end": drips(b"HTTP/1.1 200 So\r\nA: " + b"a" * 400),
    "a body that never ends": drips(HEAD + b"\r\n" + b"{" * 400),
    "chunk sizes that never end": drips(b"HTTP/1.1 200 So\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 400),
    "no HTTP": sends(b"SSH-2.0-nothing\r\n\r\n"),
    "too long, and right": answers(body=b"{}" + b" " * http.LONGEST_ANSWER),
    "too long, and of no announced length": sends(b"HTTP/1.1 200 So\r\n\r\n" + b" " * (http.LONGEST_ANSWER + 1)),
    "200 signed with another secret": answers(digest="0" * 64),
    "200 without a hash": answers(digest=""),
    "200 with a hash that is no ASCII": answers(digest="ÿ" * 64),
    "no JSON": answers(body=b"<html>"),
    "no object": answers(body=b"[1]"),
    "no number": answers(body=b'{"a": NaN}'),
    "a name twice": answers(body=b'{"a": 1, "a": 2}'),
    "compressed unasked": answers(body=b"\x1f\x8b\x08", headers={"Content-Encoding": "gzip"}),
    "301 to elsewhere": answers(status=301, headers={"Location": "http://127.0.0.1:1/"}),
    "400": answers(status=400),
    "404 unsigned": answers(status=404, digest=""),
    "422 unsigned": answers(status=422, digest=""),
    "500": answers(status=500),
    "502": answers(status=502),
    "503 that promises nothing": answers(status=503),
    "504": answers(status=504),
}


@pytest.mark.parametrize("play", BROKEN_AFTER_SENDING.values(), ids=BROKEN_AFTER_SENDING)
def test_of_a_write_that_was_sent_and_not_answered_usably_nobody_knows_the_outcome(play: Play) -> None:
    with RawServer(play) as server:
        began = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            write(server.url)
        assert len(server.requests) == 1, "What may have been done is not sent again by itself."
        assert time.monotonic() - began < SECONDS + 9, "It would have gone on for twenty seconds."


@pytest.mark.parametrize("play", BROKEN_AFTER_SENDING.values(), ids=BROKEN_AFTER_SENDING)
def test_a_question_that_breaks_is_asked_again_and_changes_nothing(play: Play) -> None:
    def second_time_right(connection: socket.socket, request: Request, number: int) -> None:
        if number == 0:
            play(connection, request, number)
        else:
            connection.sendall(answer(request, {"amount": "1.15"}))

    with RawServer(second_time_right) as server:
        found = system_at(server.url, seconds=3).read("/things/1")
        assert found.body == {"amount": "1.15"}
        assert [request.method for request in server.requests] == ["GET", "GET"]


def test_a_question_is_given_up_after_three_attempts() -> None:
    with RawServer(sends()) as server:
        with pytest.raises(AnswerUnusable):
            system_at(server.url, seconds=5).read("/things/1")
        assert len(server.requests) == 3


def test_where_nobody_listens_nothing_has_happened() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(GatewayDown) as caught:
            write(f"http://127.0.0.1:{bound.getsockname()[1]}")
    assert type(caught.value) is GatewayDown


def test_where_the_name_is_unknown_nothing_has_happened() -> None:
    with pytest.raises(GatewayDown) as caught:
        write("http://cards.invalid")
    assert type(caught.value) is GatewayDown


def test_where_a_connection_is_never_accepted_nothing_has_happened() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        with pytest.raises(GatewayDown) as caught:
            write(f"http://127.0.0.1:{address[1]}")
        assert type(caught.value) is GatewayDown
        for one in waiting:
            one.close()


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "key").write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context


def test_a_certificate_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    with RawServer(answers(), tls=self_signed(tmp_path)) as server:
        with pytest.raises(GatewayDown) as caught:
            write(server.url)
        assert type(caught.value) is GatewayDown
        assert server.connections == 3
        assert server.requests == []


@pytest.mark.parametrize(
    "greet", [sends(b"HTTP/1.1 400 So\r\n\r\n"), sends(), sends(then=reset), sends(then=be_silent)]
)
def test_where_tls_is_not_begun_nothing_has_happened(greet: Play) -> None:
    with RawServer(answers(), greet=greet) as server:
        with pytest.raises(GatewayDown) as caught:
            write(server.url.replace("http:", "https:"))
        assert type(caught.value) is GatewayDown


def test_what_promises_that_nothing_was_done_is_believed_and_tried_again() -> None:
    def third_time_open(connection: socket.socket, request: Request, number: int) -> None:
        promise = {"Request-Not-Accepted": "true"}
        whole = answer(request, status=503, headers=promise) if number < 2 else answer(request, {"is": "done"})
        connection.sendall(whole)

    with RawServer(third_time_open) as server:
        assert write(server.url).body == {"is": "done"}
        assert [request.headers["idempotency-key"] for request in server.requests] == ["REG00000001"] * 3
        assert {request.body for request in server.requests} == {b'{"amount": "1.15"}'}


@pytest.mark.parametrize(
    ("status", "headers"), [(503, {"Request-Not-Accepted": "true", "Retry-After": "60"}), (429, {"Retry-After": "60"})]
)
def test_whoever_names_a_time_is_left_alone_until_then(status: int, headers: dict[str, str]) -> None:
    with RawServer(answers(status=status, headers=headers)) as server:
        with pytest.raises(GatewayDown) as caught:
            write(server.url)
        assert type(caught.value) is GatewayDown
        assert caught.value.retry_after_seconds == 60
        assert len(server.requests) == 1


def test_an_attempt_without_effect_before_one_of_unknown_outcome_leaves_it_unknown() -> None:
    def first_closed(connection: socket.socket, request: Request, number: int) -> None:
        if number == 0:
            connection.sendall(answer(request, status=503, headers={"Request-Not-Accepted": "true"}))
        else:
            reset(connection)

    with RawServer(first_closed) as server:
        with pytest.raises(OutcomeUnknown):
            write(server.url)
        assert len(server.requests) == 2


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_is_not_shown_again(status: int) -> None:
    with RawServer(answers(status=status, digest="")) as server:
        with pytest.raises(GatewayKeyRefused) as caught:
            write(server.url)
        assert len(server.requests) == 1
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "expected"), [("still-running", StillRunning), ("key-used-otherwise", KeyUsedOtherwise)]
)
def test_a_key_that_is_in_use_leaves_the_outcome_unknown(fault: str, expected: type[OutcomeUnknown]) -> None:
    with RawServer(answers(status=409, body={"fault": fault, "reason": "It was 20.00."})) as server:
        with pytest.raises(expected):
            write(server.url)
        assert len(server.requests) == 1


def test_an_answer_to_another_question_is_not_taken_for_ours() -> None:
    def answer_of_yesterday(connection: socket.socket, request: Request, number: int) -> None:
        other = Request(b"GET /base/things/2 HTTP/1.1", b"")
        connection.sendall(answer(other, {"amount": "1.15"}))

    with RawServer(answer_of_yesterday) as server:
        with pytest.raises(AnswerUnusable):
            system_at(server.url, seconds=5).read("/things/1")


def test_a_missing_thing_passed_off_as_found_is_not_believed() -> None:
    def other_status(connection: socket.socket, request: Request, number: int) -> None:
        signed = answer(request, status=404)
        connection.sendall(signed.replace(b"HTTP/1.1 404", b"HTTP/1.1 200"))

    with RawServer(other_status) as server:
        with pytest.raises(AnswerUnusable):
            system_at(server.url, seconds=5).read("/things/1")


def test_amounts_are_exact_on_both_ways() -> None:
    with RawServer(answers(body=b'{"amount": 0.10, "other": 8.29}')) as server:
        found = system_at(server.url).write("/things", {"amount": http.loads("4.35")}, key="K")
        assert server.requests[0].body == b'{"amount": 4.35}'
    assert {name: str(value) for name, value in found.body.items()} == {"amount": "0.10", "other": "8.29"}


def test_a_connection_that_the_other_side_has_closed_is_not_used_again() -> None:
    def once(connection: socket.socket, request: Request, number: int) -> None:
        connection.sendall(answer(request, {"number": number}))
        connection.close()

    with RawServer(once) as server:
        system = system_at(server.url)
        first = system.write("/things", {}, key="A")
        deadline = time.monotonic() + 5
        while not _is_closed(system) and time.monotonic() < deadline:
            time.sleep(0.01)
        second = system.write("/things", {}, key="B")
        assert [first.body, second.body] == [{"number": 0}, {"number": 1}]
        assert server.connections == 2


def _is_closed(system: OutsideSystem) -> bool:
    kept = system._pool.pool
    assert kept is not None
    connection = kept.queue[-1]
    return connection is None or not connection.is_connected


def test_one_connection_serves_one_call_after_another() -> None:
    with RawServer(answers()) as server:
        system = system_at(server.url)
        for number in range(5):
            system.read(f"/things/{number}")
        assert len(server.requests) == 5
        assert server.connections == 1


@pytest.mark.parametrize("key", ["", "two words", "é", "a\r\nX-Other: 1", "k" * 256])
def test_a_key_that_would_not_arrive_whole_is_never_sent(key: str) -> None:
    with RawServer(answers()) as server:
        with pytest.raises(ValueError, match="idempotency key"):
            system_at(server.url).write("/things", {}, key=key)
        assert server.connections == 0


def test_neither_key_nor_secret_shows_where_the_access_is_printed() -> None:
    shown = repr(Access("card gateway", "http://127.0.0.1", "our-key", "our-secret"))
    assert "our-key" not in shown
    assert "our-secret" not in shown
