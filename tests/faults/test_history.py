"""Random clients against the whole stack, in peace and under fire, and one verdict for each reference afterwards.

FAULT_SEED repeats what the clients ask and what is killed when; FAULT_SECONDS makes the run under fire longer.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from paymentsite.stack.postgres import DATABASE, SUPERUSER
from tests.faults import observation
from tests.faults.clients import Book, Client, Sender, Stager, settled
from tests.faults.history import Fault, Kind, Verdict, judge, summary
from tests.faults.stack import Site

SEED = int(os.environ.get("FAULT_SEED", random.randrange(10**6)))
PEACE_SECONDS = 4.0
FIRE_SECONDS = float(os.environ.get("FAULT_SECONDS", "12"))
SENDERS = 5
STAGERS = 2
RESUMED_WITHIN_SECONDS = 60
# What can be killed, and how. Five times in a minute is the supervisor's limit for one program.
KILLS: dict[str, Callable[[Site], None]] = {
    "web": lambda site: site.kill("web"),
    "web, the process that answers": Site.kill_request_process,
    "worker": lambda site: site.kill("worker"),
    "relay": lambda site: site.kill("relay"),
    "PostgreSQL": lambda site: site.kill("PostgreSQL"),
    "PostgreSQL, one session": Site.kill_a_backend,
    "Valkey": lambda site: site.kill("Valkey"),
    "broker": lambda site: site.kill("broker"),
}


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    # Small batches meet the webhooks more often.
    with Site(STAGING_BATCH_SIZE="20") as started:
        yield started


def clients_of(site: Site, book: Book) -> list[Client]:
    conninfo = f"host={site.run_folder} user={SUPERUSER} dbname={DATABASE}"
    senders = [Sender(f"sender-{n}", book, port=site.port, key=site.webhook_key) for n in range(SENDERS)]
    stagers = [Stager(f"stager-{n}", book, conninfo=conninfo) for n in range(STAGERS)]
    return [*senders, *stagers]


def run_clients(site: Site, book: Book, meanwhile: Callable[[], None]) -> None:
    """All clients at once until `meanwhile` returns, and then until nothing waits any more."""
    clients = clients_of(site, book)
    for client in clients:
        client.start()
    try:
        meanwhile()
    finally:
        for client in clients:
            client.stopping.set()
    for client in clients:
        client.finish()
    seconds = site.wait_until(
        lambda: observation.nothing_waits(site.connect), seconds=RESUMED_WITHIN_SECONDS, what="Nothing waits any more"
    )
    print(f"  nothing waited {seconds:.1f} s after the last call")


def broken_invariants(site: Site) -> list[str]:
    """The names of those that do not hold, by the command."""
    ended = site.manage("verify", "--json")
    assert ended.stdout, ended.stderr
    broken: list[str] = json.loads(ended.stdout)["broken"]
    assert (ended.returncode == 1) == bool(broken)
    return broken


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


def verdicts_now(book: Book, site: Site) -> list[Verdict]:
    with site.connect() as session:
        return verdicts_of(book, session)


@pytest.fixture(scope="module")
def peace(site: Site) -> Book:
    """What the clients asked and heard in a few seconds in which nothing was hurt."""
    book = Book(SEED)
    run_clients(site, book, lambda: time.sleep(PEACE_SECONDS))
    return book


def test_in_peace_every_reference_is_a_register_that_is_written_once(site: Site, peace: Book) -> None:
    print(f"FAULT_SEED={SEED}")
    verdicts = verdicts_now(peace, site)
    print(f"  {summary(verdicts)}")
    assert unsound(verdicts) == []
    # Every answer there is was given, and every call got one.
    assert kinds(verdicts) == {Kind.CREATED, Kind.DUPLICATE, Kind.CONFLICT}
    assert len(verdicts) > 50
    assert broken_invariants(site) == []


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
def test_the_verdicts_see_what_is_done_to_the_tables(site: Site, peace: Book, tampering: str, fault: Fault) -> None:
    texts = {
        "ours": f"where reference_number like '{peace.prefix}%%'",
        "prefix": peace.prefix,
        "stranger": "00000000-0000-7000-8000-000000000000",
    }
    with site.connect() as session, session.transaction(force_rollback=True):
        session.execute("set local session_replication_role = replica")
        session.execute(tampering.format(**texts).replace("%%", "%"))
        found = {violation.fault for verdict in verdicts_of(peace, session) for violation in verdict.violations}
    assert fault in found
    assert unsound(verdicts_now(peace, site)) == []


def test_under_fire_nothing_that_was_acknowledged_is_lost_or_doubled(site: Site) -> None:
    book, chance = Book(SEED + 1_000_000), random.Random(SEED)
    print(f"FAULT_SEED={SEED} FAULT_SECONDS={FIRE_SECONDS:g}")
    victims = itertools.cycle(chance.sample(sorted(KILLS), len(KILLS)))
    killed: list[str] = []

    def kill_one_after_the_other() -> None:
        ends_at = time.monotonic() + FIRE_SECONDS
        while time.monotonic() < ends_at:
            time.sleep(chance.uniform(0.2, 1.4) * FIRE_SECONDS / len(KILLS))
            killed.append(next(victims))
            print(f"  {time.strftime('%H:%M:%S')} kill -9: {killed[-1]}")
            KILLS[killed[-1]](site)

    run_clients(site, book, kill_one_after_the_other)
    verdicts = verdicts_now(book, site)
    print(f"  {summary(verdicts)}")
    assert unsound(verdicts) == []
    # What got no answer at the staging table and is not there was not asked; a webhook is answered or left unanswered.
    assert refused_to(verdicts) <= {"stager"}
    assert len(killed) > len(KILLS) // 2
    assert kinds(verdicts) >= {Kind.CREATED, Kind.DUPLICATE, Kind.CONFLICT, Kind.UNKNOWN}
    assert broken_invariants(site) == []
