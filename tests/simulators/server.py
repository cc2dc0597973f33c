"""One HTTP server on loopback: both simulated systems, the card gateway's payment page, the control of all of it."""

from __future__ import annotations

import json
import os
import secrets
import select
import socket
import struct
import threading
from collections import deque
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.simulators import pages
from tests.simulators.cardbook import CardBook, now_text
from tests.simulators.faults import Fault, Faults
from tests.simulators.prepaidbook import PrepaidBook
from tests.simulators.refusals import Missing, Refusal
from tests.simulators.signing import answer_mac, order_from, return_query

LONGEST_BODY = 1024 * 1024
LONGEST_SILENCE_SECONDS = 60
Done = tuple[int, dict[str, Any]]


class SimulatorServer(ThreadingHTTPServer):
    """Books, faults and the log of calls, shared by the threads that answer."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, *, settle_seconds: float, believes_earlier: bool = False) -> None:
        super().__init__(("127.0.0.1", port), SimulatorHandler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.api_key, self.secret = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.settle_seconds = settle_seconds
        self.believes_earlier = believes_earlier
        self.faults = Faults()
        self.calls: deque[dict[str, Any]] = deque(maxlen=10_000)
        self.never = threading.Event()
        self.clear_books()

    def access(self) -> dict[str, str]:
        return {"url": self.url, "api_key": self.api_key, "secret": self.secret}

    def clear_books(self) -> None:
        self.card = CardBook(settle_seconds=self.settle_seconds, believes_earlier=self.believes_earlier)
        self.prepaid = PrepaidBook()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that goes away is part of the play."""


class SimulatorHandler(BaseHTTPRequestHandler):
    server: SimulatorServer
    protocol_version = "HTTP/1.1"
    timeout = LONGEST_SILENCE_SECONDS
    # Head and body of an answer leave together: apart, the second would wait for a late acknowledgement of the first.
    wbufsize = -1

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """The log of calls is what counts."""

    def _serve(self) -> None:
        self.raw = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), LONGEST_BODY))
        url = urlsplit(self.path)
        parts = [unquote(part) for part in url.path.strip("/").split("/")]
        match (self.command, parts):
            case ("GET" | "POST", ["card", "pay"]):
                self._serve_page(url.query)
            case (_, ["card", "api", *rest]) | (_, ["prepaid", "api" | "replica", *rest]):
                self._serve_api(parts[0], rest)
            case _:
                self._serve_control(parts)

    # The systems themselves

    def _serve_api(self, system: str, rest: list[str]) -> None:
        key = self.headers.get("Idempotency-Key", "")
        call: dict[str, Any] = {
            "system": system,
            "method": self.command,
            "path": self.path,
            "key": key,
            "at": now_text(),
        }
        self.server.calls.append(call)
        if self.headers.get("Authorization") != f"Bearer {self.server.api_key}":
            call["status"] = 401
            return self._answer(401, {"fault": "key", "reason": "Who is this?"}, is_signed=False)
        fault = self.server.faults.next_for(system, writes=bool(key))
        call["fault"] = fault.fault if fault else ""
        name = fault.fault if fault else ""
        if name == "reset":
            return self._reset()
        if name == "down":
            return self._answer(503, {}, is_signed=False, headers={"Request-Not-Accepted": "true"})
        if name == "fail":
            return self._answer(500, {}, is_signed=False)
        try:
            asked = json.loads(self.raw) if self.raw else {}
            act = self._card_action if system == "card" else self._prepaid_action
            status, body = act(rest, asked, key, fault)
            if name == "duplicate_call":
                self.server.calls.append({**call, "fault": "the duplicate"})
                status, body = act(rest, asked, key, None)
        except Refusal as refusal:
            status, body = refusal.status, refusal.body
        call["status"] = status
        self._answer_with(fault, status, body)
        return None

    def _card_action(self, rest: list[str], asked: dict[str, Any], key: str, fault: Fault | None) -> Done:
        if fault is not None and fault.fault == "declined":
            raise Refusal("declined", "The card network declined.")
        match (self.command, rest):
            case ("GET", ["orders", reference]):
                return 200, self.server.card.order(reference)
            case ("POST", ["orders", reference, "refunds"]):
                return self.server.card.refund(reference, key, asked)
            case ("GET", ["orders", reference, "refunds", found]):
                return 200, self.server.card.find_refund(reference, found)
        raise Missing("such address")

    def _prepaid_action(self, rest: list[str], asked: dict[str, Any], key: str, fault: Fault | None) -> Done:
        match (self.command, rest):
            case ("POST", ["debits"]):
                refused_by = fault.code if fault is not None and fault.fault == "declined" else ""
                return self.server.prepaid.debit(key, asked, refused_by=refused_by)
            case ("GET", ["debits", found]):
                return 200, self.server.prepaid.find(found)
            case ("POST", ["reversals"]):
                return 200, self.server.prepaid.find_reversals(asked["keys"])
        raise Missing("such address")

    def _answer_with(self, fault: Fault | None, status: int, body: dict[str, Any]) -> None:
        match fault.fault if fault else "":
            case "accept_then_time_out":
                self._be_silent()
            case "accept_then_reset":
                self._reset()
            case "accept_then_fail":
                self._answer(500, {}, is_signed=False)
            case "garbage":
                self._send(status, b"<html>Something went wrong</html>", "text/html")
            case "wrong_hash":
                self._answer(status, body, is_right=False)
            case "slow":
                assert fault is not None
                self.server.never.wait(fault.seconds)
                self._answer(status, body)
            case _:
                self._answer(status, body)

    # The payment page

    def _serve_page(self, query: str) -> None:
        try:
            asked = order_from(query, self.server.secret)
        except ValueError as error:
            return self._send_page(400, pages.wrong_link(str(error)))
        order = self.server.card.open_page(asked)
        if self.command == "GET" and order["status"] != "PAID":
            return self._send_page(200, pages.payment(asked, self.path))
        if self.command == "GET":
            return self._send_page(200, pages.paid(order, self._return_address(order)))
        decision = parse_qs(self.raw.decode()).get("decision", [""])[0]
        fault = self.server.faults.next_for("card", writes=True)
        name = fault.fault if fault else ""
        self.server.calls.append({"system": "card", "method": "PAGE", "path": "/card/pay", "key": "", "fault": name})
        if name in ("down", "fail", "reset"):
            return self._send_page(503, pages.wrong_link("the gateway is down"))
        reason = "The card was declined" if name == "declined" else "The payer gave up"
        order = self.server.card.decide(asked, pays=decision == "pay" and name != "declined", reason=reason)
        if name.startswith("accept_then"):
            return self._be_silent()
        address = self._return_address(order, is_right=name != "wrong_hash")
        if name == "duplicate_call":
            self._call(address)
        self.send_response(303)
        self.send_header("Location", address)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return None

    def _return_address(self, order: dict[str, Any], *, is_right: bool = True) -> str:
        pairs = [
            ("version", "1"),
            ("reference", order["reference"]),
            ("transaction", order["transaction"]),
            ("status", "approved" if order["status"] == "PAID" else "declined"),
            ("amount", order["amount"]),
            ("currency", order["currency"]),
            ("authorization", order["authorization"]),
            ("reason", order["reason"]),
            ("occurred_at", order["decided_at"]),
        ]
        return f"{order['return_url']}?{return_query(pairs, self.server.secret, is_right=is_right)}"

    def _call(self, address: str) -> None:
        """The gateway's own call of the return address, whose answer it does not look at."""
        url = urlsplit(address)
        connection = HTTPConnection(url.netloc, timeout=10)
        try:
            connection.request("GET", f"{url.path}?{url.query}")
            connection.getresponse().read()
        except OSError:
            pass
        finally:
            connection.close()

    # The control

    def _serve_control(self, parts: list[str]) -> None:
        server = self.server
        match (self.command, parts):
            case ("GET", [""]):
                return self._send_page(200, pages.index(server.card.orders, server.prepaid, server.faults.shown()))
            case ("GET", ["calls"]):
                return self._control({"calls": list(server.calls)})
            case ("GET", ["books"]):
                orders = [server.card.order(reference) for reference in server.card.seen()]
                debits = [server.prepaid.find(key) for key in list(server.prepaid.debits)]
                return self._control({"orders": orders, "debits": debits, "reversals": server.prepaid.reversals})
            case ("GET", ["faults"]):
                return self._control({"faults": server.faults.shown()})
        try:
            self._change(parts)
        except (ValueError, KeyError) as error:
            return self._send(400, json.dumps({"error": str(error)}).encode(), "application/json")
        except Missing:
            return self._send(404, b"{}", "application/json")
        return self._control({})

    def _change(self, parts: list[str]) -> None:
        server = self.server
        match (self.command, parts):
            case ("POST", ["faults"]):
                server.faults.add(self._given())
            case ("POST", ["card", "booking"]):
                given = self._given()
                server.card.force(given["reference"], given["key"], given["status"], given.get("error", ""))
            case ("POST", ["prepaid", "reversals"]):
                server.prepaid.reverse(self._given()["key"])
            case ("DELETE", ["faults"]):
                server.faults.clear()
            case ("DELETE", ["calls"]):
                server.calls.clear()
            case ("DELETE", ["books"]):
                server.clear_books()
            case _:
                raise Missing("such address")

    def _given(self) -> dict[str, Any]:
        """A JSON object, or the fields of a form of the page."""
        if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            return {name: values[0] for name, values in parse_qs(self.raw.decode()).items()}
        given: dict[str, Any] = json.loads(self.raw)
        return given

    def _control(self, body: dict[str, Any]) -> None:
        if self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
            self.send_response(303)
            self.send_header("Location", "/")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        return self._send(200, json.dumps(body).encode(), "application/json")

    # How it is sent

    def _answer(
        self,
        status: int,
        body: dict[str, Any],
        *,
        is_signed: bool = True,
        is_right: bool = True,
        headers: dict[str, str] | None = None,
    ) -> None:
        raw = json.dumps(body).encode()
        secret = self.server.secret if is_right else self.server.secret + "?"
        digest = answer_mac(secret, self.command, self.path, status, raw)
        signed = {"Answer-Hash": digest} if is_signed else {}
        self._send(status, raw, "application/json", signed | (headers or {}))

    def _send_page(self, status: int, text: str) -> None:
        self._send(status, text.encode(), "text/html; charset=utf-8")

    def _send(self, status: int, raw: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(raw)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def _be_silent(self) -> None:
        """Says nothing until the caller gives up."""
        select.select([self.connection], [], [], LONGEST_SILENCE_SECONDS)
        self.close_connection = True

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        os.close(self.connection.detach())
        self.close_connection = True
