"""Random clients against the whole stack, in peace and under fire, and one verdict for each reference afterwards.

FAULT_SEED repeats what the clients ask and what is killed when; FAULT_SECONDS makes the run under fire longer.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.faults import observation
from tests.faults.clients import Book, Client, Sender, Stager, settled
from tests.faults.history import Fault, Kind, Verdict, judge, summary
from tests.faults.test_supervisor import CHECKOUT, NOT_PASSED_ON, Instance, free_port, is_gone, wait_for

SEED = int(os.environ.get("FAULT_SEED", random.randrange(10**6)))
PEACE_SECONDS = 4.0
FIRE_SECONDS = float(os.environ.get("FAULT_SECONDS", "16"))
SENDERS = 5
STAGERS = 2
RESUMED_WITHIN_SECONDS = 60
# What the process to be killed has in its command line. Twice what serves the clients; five times in a minute is the
# supervisor's limit for one program.
VICTIMS = (
    "granian",
    "granian",
    "run_worker",
    "relay_outbox",
    "postgres:",
    "bin/postgres -D",
    "valkey-server",
    "mockkafka",
    "run_beat",
)


class Platform:
    """`manage.py up` on a folder of its own, with the secret of its demo channel and a way into its database."""

    def __init__(self, folder: Path) -> None:
        self.instance = Instance(folder / "state", free_port())
        self.instance.wait_until_up()
        self.state = self.instance.state
        self.secret = (self.state / "secrets" / "demo_webhook_secret").read_text().strip()
        self.conninfo = f"host={self.state / 'run'} user=postgres dbname=paymentsite"

    def connect(self) -> psycopg.Connection:
        return psycopg.connect(self.conninfo, autocommit=True, connect_timeout=10)

    def clients(self, book: Book) -> list[Client]:
        senders = [Sender(f"sender-{n}", book, port=self.instance.port, secret=self.secret) for n in range(SENDERS)]
        stagers = [Stager(f"stager-{n}", book, conninfo=self.conninfo) for n in range(STAGERS)]
        return [*senders, *stagers]

    def nothing_waits(self) -> bool:
        try:
            with self.connect() as session:
                return self.instance.answers() and observation.waiting(session) == 0
        except psycopg.Error:
            return False

    def verdicts(self, book: Book) -> list[Verdict]:
        with self.connect() as session:
            return verdicts_of(book, session)

    def verify(self) -> list[str]:
        """The names of the invariants that do not hold, by the command."""
        environment = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
        ended = subprocess.run(
            [sys.executable, "manage.py", "verify", "--json"],
            cwd=CHECKOUT,
            env=environment | {"PAYMENTSITE_STATE": str(self.state), "PORT": str(self.instance.port)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode in (0, 1), ended.stderr
        broken: list[str] = json.loads(ended.stdout)["broken"]
        assert (ended.returncode == 1) == bool(broken)
        return broken


@pytest.fixture(scope="module")
def platform() -> Iterator[Platform]:
    with (
        tempfile.TemporaryDirectory(prefix="ps-", ignore_cleanup_errors=True) as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        # Staged rows are taken in all the time, not every half minute; small batches meet the webhooks more often.
        patch.setenv("STAGING_INTERVAL_SECONDS", "1")
        patch.setenv("STAGING_BATCH_SIZE", "20")
        patch.setenv("WEBHOOK_RATE_LIMIT_PER_MINUTE", "1000000")
        started = Platform(Path(name))
        yield started
        processes = started.instance.descendants()
        started.instance.popen.kill()
        started.instance.popen.wait()
        assert wait_for(partial(is_gone, processes), 10)


def kill_one(platform: Platform, victim: str, chance: random.Random) -> bool:
    """kill -9 of one process of the stack whose command line has these words. False when there is none just now."""
    found = [pid for pid in sorted(platform.instance.descendants()) if victim in command_line(pid)]
    if not found:
        return False
    chosen = chance.choice(found)
    print(f"  {time.strftime('%H:%M:%S')} kill -9 {chosen}: {victim}")
    os.kill(chosen, signal.SIGKILL)
    return True


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def verdicts_of(book: Book, session: psycopg.Connection) -> list[Verdict]:
    calls = settled(book, observation.staged_outcomes(session, book.prefix))
    payments = observation.payments(session, book.prefix)
    return judge(calls, payments, observation.events(session, book.prefix))


def kinds(verdicts: list[Verdict]) -> set[Kind]:
    return {call.kind for verdict in verdicts for call in verdict.calls}


def refused_to(verdicts: list[Verdict]) -> set[str]:
    """Who was refused something, by the kind of client."""
    calls = (call for verdict in verdicts for call in verdict.calls)
    return {call.client.partition("-")[0] for call in calls if call.kind is Kind.REFUSED}


def unsound(verdicts: list[Verdict]) -> list[str]:
    return [str(verdict) for verdict in verdicts if not verdict.is_sound]


@pytest.fixture(scope="module")
def peace(platform: Platform) -> Book:
    """What the clients asked and heard in a few seconds in which nothing was hurt."""
    book = Book(SEED)
    clients = platform.clients(book)
    for client in clients:
        client.start()
    time.sleep(PEACE_SECONDS)
    for client in clients:
        client.finish()
    assert wait_for(platform.nothing_waits, RESUMED_WITHIN_SECONDS)
    return book


def test_in_peace_every_reference_is_a_register_that_is_written_once(platform: Platform, peace: Book) -> None:
    print(f"FAULT_SEED={SEED}")
    verdicts = platform.verdicts(peace)
    print(f"  {summary(verdicts)}")
    assert unsound(verdicts) == []
    # Every answer there is was given, and every call got one.
    assert kinds(verdicts) == {Kind.CREATED, Kind.DUPLICATE, Kind.CONFLICT}
    assert len(verdicts) > 50
    assert platform.verify() == []


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("delete from payments where id = (select id from payments {ours} limit 1)", Fault.ACKNOWLEDGED_AND_LOST),
        (
            'insert into payments select (jsonb_populate_record(payment, \'{{"id": "{stranger}"}}\')).*'
            " from payments payment {ours} limit 1",
            Fault.RECORDED_TWICE,
        ),
        ("update payments set amount = amount + 1 {ours}", Fault.WRONG_CONTENT),
        ("update payments set cif = 'OTHER' {ours}", Fault.FALSE_DUPLICATE),
        ("delete from outbox_event where body like '%%\"{prefix}%%'", Fault.EVENT_MISSING),
        ("delete from staging_duplicate", Fault.ROW_LOST),
    ],
)
def test_the_verdicts_see_what_is_done_to_the_tables(
    platform: Platform, peace: Book, tampering: str, fault: Fault
) -> None:
    texts = {
        "ours": f"where reference_number like '{peace.prefix}%%'",
        "prefix": peace.prefix,
        "stranger": "00000000-0000-7000-8000-000000000000",
    }
    with platform.connect() as session, session.transaction(force_rollback=True):
        session.execute("set local session_replication_role = replica")
        session.execute(tampering.format(**texts).replace("%%", "%"))
        found = {violation.fault for verdict in verdicts_of(peace, session) for violation in verdict.violations}
    assert fault in found
    assert unsound(platform.verdicts(peace)) == []


def test_under_fire_nothing_that_was_acknowledged_is_lost_or_doubled(platform: Platform) -> None:
    seed = SEED + 1_000_000
    book, chance = Book(seed), random.Random(seed)
    print(f"FAULT_SEED={SEED} FAULT_SECONDS={FIRE_SECONDS:g}")
    victims = itertools.cycle(chance.sample(VICTIMS, len(VICTIMS)))
    clients = platform.clients(book)
    for client in clients:
        client.start()
    killed = 0
    ends_at = time.monotonic() + FIRE_SECONDS
    while time.monotonic() < ends_at:
        time.sleep(chance.uniform(0.5, 1.5) * FIRE_SECONDS / len(VICTIMS))
        killed += kill_one(platform, next(victims), chance)
    for client in clients:
        client.finish()
    resumed_at = time.monotonic()
    assert wait_for(platform.nothing_waits, RESUMED_WITHIN_SECONDS), platform.instance.text()
    print(f"  {killed} killed; nothing waited {time.monotonic() - resumed_at:.1f} s after the last call")

    verdicts = platform.verdicts(book)
    print(f"  {summary(verdicts)}")
    assert unsound(verdicts) == []
    # What got no answer at the staging table and is not there was not asked; a webhook is answered or left unanswered.
    assert refused_to(verdicts) <= {"stager"}
    assert killed >= len(VICTIMS) // 2
    assert kinds(verdicts) >= {Kind.CREATED, Kind.DUPLICATE, Kind.CONFLICT, Kind.UNKNOWN}
    assert platform.verify() == []
