"""Load that remembers what it was promised: senders of webhooks that repeat until acknowledged, and an ETL that stages.

Whatever was acknowledged here must be in the database once, however the processes in between were treated.
"""

from __future__ import annotations

import random
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import psycopg

from tests.faults.stack import Answer, Site

SENDERS = 4
ACCOUNTS = 20
ROWS_AT_ONCE = 20
REPEATED = 0.1
CONTRADICTED = 0.05
STAGE = """
insert into payment_staging (reference_number, loan_account_number, cif, amount, payment_date, payment_channel)
select reference, 'LN' || n %% 20, 'CIF' || n %% 20, 10 + n, now() at time zone 'UTC' - interval '1 hour', 'branch'
from unnest(%s::text[]) with ordinality as given (reference, n)
"""


class Load:
    """Under way between entering and leaving; on leaving every sender has got its last answer."""

    def __init__(self, site: Site, *, name: str, seed: int) -> None:
        self.site = site
        self.name = name
        self.seed = seed
        self.acknowledged: dict[str, str] = {}
        self.staged: list[str] = []
        self.unexpected: list[Answer] = []
        self.slowest_seconds = 0.0
        self.requests = 0
        self._stopping = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Load:
        self._threads = [threading.Thread(target=self._send, args=(place,)) for place in range(SENDERS)]
        self._threads.append(threading.Thread(target=self._stage))
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _send(self, place: int) -> None:
        """One sender: a notice after the other, each repeated until it is acknowledged, some of them once more."""
        chance = random.Random(f"{self.seed}-{place}")
        number = 0
        while not self._stopping.is_set():
            number += 1
            reference = f"{self.name}-W{place}-{number}"
            notice = notice_of(reference, chance)
            payment_id = self._until_acknowledged(notice, reference)
            if payment_id is None:
                return
            with self._lock:
                self.acknowledged[reference] = payment_id
            if chance.random() < REPEATED and (again := self._until_acknowledged(notice, f"{reference}-again")):
                assert again == payment_id, f"{reference} was acknowledged as {payment_id}, then as {again}"
            if chance.random() < CONTRADICTED:
                self._contradict(notice, reference)
            time.sleep(chance.uniform(0, 0.04))

    def _until_acknowledged(self, notice: dict[str, Any], webhook_id: str) -> str | None:
        """The payment's id; None only when the load is stopped before anybody answered."""
        while True:
            answer = self._post(notice, webhook_id)
            if answer.status in (200, 201):
                return str(answer.body["payment_id"])
            if answer.status not in (0, 503):
                with self._lock:
                    self.unexpected.append(answer)
                return None
            if self._stopping.is_set():
                return None
            time.sleep(0.1)

    def _contradict(self, notice: dict[str, Any], reference: str) -> None:
        answer = self._post(notice | {"amount": 99999.5}, f"{reference}-other")
        if answer.status not in (0, 409, 503):
            with self._lock:
                self.unexpected.append(answer)

    def _post(self, notice: dict[str, Any], webhook_id: str) -> Answer:
        answer = self.site.post(notice, webhook_id=webhook_id)
        with self._lock:
            self.requests += 1
            self.slowest_seconds = max(self.slowest_seconds, answer.seconds)
        return answer

    def _stage(self) -> None:
        """The ETL: some rows a second. What it was told is committed must not be lost."""
        number = 0
        while not self._stopping.wait(0.2):
            number += 1
            references = [f"{self.name}-S{number}-{row}" for row in range(ROWS_AT_ONCE)]
            try:
                with self.site.connect() as session:
                    session.execute(STAGE, [references])
            except psycopg.Error:
                continue
            with self._lock:
                self.staged += references


def notice_of(reference: str, chance: random.Random) -> dict[str, Any]:
    account = chance.randrange(ACCOUNTS)
    return {
        "reference_number": reference,
        "loan_account_number": f"LN{account}",
        "cif": f"CIF{account}",
        "amount": chance.randrange(1, 10**6) / 100,
        "payment_date": datetime.now(UTC).isoformat(),
    }
