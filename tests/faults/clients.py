"""Random clients of a running platform, over webhooks and the staging table, who note what they asked and heard.

The seed decides what each client asks and how long it waits between; how calls fall together is up to the machine.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import itertools
import json
import random
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from tests.faults.history import Call, Content, Kind

PATH = "/api/v1/payments/webhook"
TIMEOUT_SECONDS = 8
# How many calls name one reference, more or less, and how far apart they are.
CALLS_PER_REFERENCE = 4
SPREAD = 6
LONGEST_PAUSE_SECONDS = 0.02
BASE_MOMENT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
STAGE = """
insert into payment_staging
    (reference_number, loan_account_number, cif, amount, payment_date, payment_channel, metadata)
values (%s, %s, %s, %s, %s, 'branch', %s)
"""


class Book:
    """What all clients have asked and heard."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.calls: list[Call] = []
        # Calls over the staging table, by a mark in the row's metadata; what became of them is learnt at the end.
        self.staged: dict[str, Call] = {}
        self.numbers = itertools.count()
        self._lock = threading.Lock()

    def write(self, call: Call) -> None:
        with self._lock:
            self.calls.append(call)

    def write_staged(self, mark: str, call: Call) -> None:
        with self._lock:
            self.staged[mark] = call

    def next_number(self) -> int:
        with self._lock:
            return next(self.numbers)

    @property
    def prefix(self) -> str:
        return f"H{self.seed}-"


def now() -> float:
    return time.monotonic()


def reference_and_content(book: Book, chance: random.Random, *, may_vary_currency: bool) -> tuple[str, Content]:
    """A reference that others are asking for at about this time, or an old one; mostly with its first content."""
    newest = book.next_number() // CALLS_PER_REFERENCE
    number = chance.randrange(newest + 1) if chance.random() < 0.1 else max(0, newest - chance.randrange(SPREAD))
    content = Content(
        account=f"LN{number % 17}",
        cif=f"CIF{number % 13}",
        amount=f"{number % 900 + 1}.{number % 100:02d}",
        currency="CAD",
        moment=(BASE_MOMENT + timedelta(seconds=number)).isoformat(),
    )
    if chance.random() < 0.25:
        content = _varied(content, chance, may_vary_currency=may_vary_currency)
    return f"{book.prefix}{number}", content


def _varied(content: Content, chance: random.Random, *, may_vary_currency: bool) -> Content:
    variants = [
        replace(content, account=content.account + "X"),
        replace(content, cif=content.cif + "X"),
        replace(content, amount=f"1{content.amount}"),
        replace(content, moment=(datetime.fromisoformat(content.moment) + timedelta(hours=1)).isoformat()),
    ]
    if may_vary_currency:
        variants.append(replace(content, currency="USD"))
    return chance.choice(variants)


class Client(threading.Thread):
    """Asks until it is told to stop. What breaks it is kept and raised by `finish`."""

    def __init__(self, name: str, book: Book) -> None:
        super().__init__(name=name, daemon=True)
        self.book = book
        self.chance = random.Random(f"{book.seed} {name}")
        self.stopping = threading.Event()
        self.failure: Exception | None = None

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.ask()
                time.sleep(self.chance.uniform(0, LONGEST_PAUSE_SECONDS))
        except Exception as error:
            self.failure = error
        finally:
            self.hang_up()

    def ask(self) -> None:
        raise NotImplementedError

    def hang_up(self) -> None:
        raise NotImplementedError

    def finish(self) -> None:
        self.stopping.set()
        self.join(2 * TIMEOUT_SECONDS)
        assert not self.is_alive(), f"{self.name} still waits for an answer."
        if self.failure is not None:
            raise self.failure


class Sender(Client):
    """Posts signed notices; one that got no answer is sometimes sent again as it was."""

    def __init__(self, name: str, book: Book, *, port: int, key: bytes) -> None:
        super().__init__(name, book)
        self.port = port
        self.key = key
        self.connection: http.client.HTTPConnection | None = None
        self.messages = itertools.count()

    def ask(self) -> None:
        reference, content = reference_and_content(self.book, self.chance, may_vary_currency=True)
        message_id = f"{self.book.prefix}{self.name}-{next(self.messages)}"
        for _ in range(1 + self.chance.randrange(3)):
            call = self.post(message_id, reference, content)
            self.book.write(call)
            if call.kind is not Kind.UNKNOWN and self.chance.random() < 0.95:
                return

    def post(self, message_id: str, reference: str, content: Content) -> Call:
        body = (
            f'{{"reference_number": "{reference}", "loan_account_number": "{content.account}", "cif": "{content.cif}",'
            f' "amount": {content.amount}, "currency": "{content.currency}", "payment_date": "{content.moment}"}}'
        ).encode()
        at = str(int(time.time()))
        signed = hmac.new(self.key, f"{message_id}.{at}.".encode() + body, hashlib.sha256).digest()
        headers = {
            "content-type": "application/json",
            "webhook-id": message_id,
            "webhook-timestamp": at,
            "webhook-signature": "v1," + base64.b64encode(signed).decode(),
        }
        asked_at = now()
        try:
            status, answer = self._exchange(body, headers)
        except (OSError, http.client.HTTPException, ValueError):
            self.hang_up()
            # Whoever waits for the next one does not wait in a busy loop.
            time.sleep(0.05)
            return Call(self.name, reference, content, asked_at, None, Kind.UNKNOWN)
        kind, payment_id = kind_of(status, answer)
        answered_at = None if kind is Kind.UNKNOWN else now()
        return Call(self.name, reference, content, asked_at, answered_at, kind, payment_id)

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_SECONDS)
        self.connection.request("POST", PATH, body, headers)
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def hang_up(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def kind_of(status: int, answer: dict[str, Any]) -> tuple[Kind, str | None]:
    """What an HTTP answer says for certain, and of which payment."""
    if status in (200, 201):
        kind = Kind.CREATED if status == 201 else Kind.DUPLICATE
        assert answer["status"] == kind.value
        return kind, answer["payment_id"]
    if status == 409:
        assert answer["code"] == "reference-conflict", answer
        return Kind.CONFLICT, answer["payment_id"]
    # A server that could not say: it may have committed before it failed.
    return (Kind.UNKNOWN, None) if status >= 500 else (Kind.REFUSED, None)


class Stager(Client):
    """Inserts rows into the staging table, as the ETL does, some of them several in one transaction."""

    def __init__(self, name: str, book: Book, *, conninfo: str) -> None:
        super().__init__(name, book)
        self.conninfo = conninfo
        self.connection: psycopg.Connection | None = None
        self.rows = itertools.count()

    def ask(self) -> None:
        chosen = [
            reference_and_content(self.book, self.chance, may_vary_currency=False)
            for _ in range(self.chance.choice([1, 1, 1, 5]))
        ]
        marks = {f"{self.name}-{next(self.rows)}": subject for subject in chosen}
        asked_at = now()
        # Written down before: a row whose insert got no answer may be there.
        for mark, (reference, content) in marks.items():
            self.book.write_staged(mark, Call(self.name, reference, content, asked_at, None, Kind.UNKNOWN))
        try:
            self._insert(marks)
        except psycopg.Error:
            self.hang_up()
            time.sleep(0.05)
            return
        for mark, (reference, content) in marks.items():
            # Accepted: from here on it must end with an outcome.
            self.book.write_staged(mark, Call(self.name, reference, content, asked_at, None, Kind.LOST))

    def _insert(self, marks: dict[str, tuple[str, Content]]) -> None:
        if self.connection is None:
            self.connection = psycopg.connect(self.conninfo, connect_timeout=TIMEOUT_SECONDS)
        with self.connection.transaction():
            for mark, (reference, content) in marks.items():
                moment = datetime.fromisoformat(content.moment).replace(tzinfo=None)
                values = [reference, content.account, content.cif, content.amount, moment]
                self.connection.execute(STAGE, [*values, json.dumps({"mark": f"{self.book.prefix}{mark}"})])

    def hang_up(self) -> None:
        if self.connection is not None:
            with suppress(psycopg.Error):
                self.connection.close()
            self.connection = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the database says of one staged row; answered_at is on the clients' clock."""

    mark: str
    kind: Kind
    payment_id: str | None
    answered_at: float | None


def settled(book: Book, outcomes: Iterable[Outcome]) -> list[Call]:
    """All calls, those over the staging table with what became of their rows."""
    known = {outcome.mark: outcome for outcome in outcomes}
    calls = list(book.calls)
    for mark, call in book.staged.items():
        outcome = known.pop(f"{book.prefix}{mark}", None)
        if outcome is not None:
            call = replace(call, kind=outcome.kind, payment_id=outcome.payment_id, answered_at=outcome.answered_at)
        elif call.kind is Kind.UNKNOWN:
            # Its insert got no answer and was not committed: nothing was asked.
            call = replace(call, kind=Kind.REFUSED)
        calls.append(call)
    assert not known, f"Rows that nobody staged: {sorted(known)}"
    return calls
