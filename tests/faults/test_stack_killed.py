"""kill -9 of every process in turn, at random moments under load: nothing lost, nothing doubled, all back by itself.

FAULT_ROUNDS=10 repeats it; FAULT_SEED=… takes the same moments again.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.faults.load import Load
from tests.faults.stack import Site

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "1"))
SEED = int(os.environ.get("FAULT_SEED", random.randrange(10**6)))
# The promise for everything that was killed: it works again within this time, with nobody's help.
RESUMED_SECONDS = 60.0
DRAINED_SECONDS = 120.0


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as started:
        yield started


def test_no_kill_loses_or_doubles_anything(site: Site) -> None:
    print(f"FAULT_SEED={SEED} FAULT_ROUNDS={ROUNDS}")
    chance = random.Random(SEED)
    acknowledged: dict[str, str] = {}
    staged: list[str] = []
    slowest = 0.0
    for number in range(ROUNDS):
        for name, kill in shuffled(victims(site), chance):
            with Load(site, name=f"R{number}-{name}", seed=chance.randrange(10**6)) as load:
                time.sleep(chance.uniform(0.3, 1.5))
                kill()
                resumed = all_resumes(site, f"{number}-{name}")
            slowest = max(slowest, resumed)
            assert load.unexpected == []
            acknowledged |= load.acknowledged
            staged += load.staged
            drained = is_drained(site)
            nothing_lost_nothing_doubled(site, acknowledged, staged)
            print(
                f"round {number} {name}: resumed in {resumed:.1f} s, drained in {drained:.1f} s, "
                f"{load.requests} requests, slowest {load.slowest_seconds:.1f} s, {len(load.staged)} rows staged"
            )
    every_invariant_holds(site)
    print(
        f"{ROUNDS * len(victims(site))} kills, {len(acknowledged)} acknowledged webhooks, {len(staged)} staged rows, "
        f"slowest to resume {slowest:.1f} s"
    )


def victims(site: Site) -> list[tuple[str, Callable[[], None]]]:
    programs = ("web", "worker", "relay", "PostgreSQL", "Valkey", "broker")
    return [
        *((name, partial(site.kill, name)) for name in programs),
        ("request-process", site.kill_request_process),
        ("database-session", site.kill_a_backend),
    ]


def shuffled(
    victims: list[tuple[str, Callable[[], None]]], chance: random.Random
) -> list[tuple[str, Callable[[], None]]]:
    return chance.sample(victims, len(victims))


def all_resumes(site: Site, name: str) -> float:
    """Seconds until a webhook and a staged row that came after the kill are recorded and their events delivered."""
    began = time.monotonic()

    def posted() -> bool:
        notice = {"reference_number": f"P-{name}", "loan_account_number": "LN1", "cif": "C1", "amount": 1}
        answer = site.post(notice | {"payment_date": "2026-11-20T12:00:00Z"}, webhook_id=f"probe-{name}")
        assert answer.status in (0, 200, 201, 503), answer
        return answer.status in (200, 201)

    def staged() -> bool:
        return site.rows(
            """insert into payment_staging (reference_number, loan_account_number, cif, amount, payment_date)
               values (%s, 'LN1', 'C1', 1, '2026-11-20 12:00:00') returning true""",
            f"Q-{name}",
        ) == [(True,)]

    def delivered() -> bool:
        return (
            site.number(
                """select count(*) from payments p join outbox_event e on e.event_id = p.id
               where p.reference_number = any (%s)
                 and exists (select from outbox_publication where positions @> e.position)""",
                [f"P-{name}", f"Q-{name}"],
            )
            == 2
        )

    for condition, what in ((posted, "a webhook"), (staged, "a staged row"), (delivered, "both events")):
        site.wait_until(condition, seconds=RESUMED_SECONDS - (time.monotonic() - began), what=f"{name}: {what}")
    return time.monotonic() - began


def is_drained(site: Site) -> float:
    waiting = """select (select count(*) from payment_staging where processed is not true)
                      + (select count(*) from outbox_delivery)"""
    return site.wait_until(lambda: site.number(waiting) == 0, seconds=DRAINED_SECONDS, what="drained")


def nothing_lost_nothing_doubled(site: Site, acknowledged: dict[str, str], staged: list[str]) -> None:
    ours = dict(site.rows("select reference_number, min(id::text) from payments group by 1"))
    assert {reference: ours.get(reference) for reference in acknowledged} == acknowledged
    assert [reference for reference in staged if reference not in ours] == []
    [(payments, references, doubled, claims, events, orphans, unannounced)] = site.rows(
        """
        select (select count(*) from payments), (select count(distinct reference_number) from payments),
               (select count(*) from (select from payments group by reference_number having count(*) > 1) twice),
               (select count(*) from payment_references) + (select count(*) from payment_references_previous)
                   + (select count(*) from payment_references_history),
               (select count(*) from outbox_event where event_type = 'payment.recorded'),
               (select count(*) from outbox_event e where event_type = 'payment.recorded'
                    and not exists (select from payments p where p.id = e.event_id)),
               (select count(*) from payments p
                    where not exists (select from outbox_event e where e.event_id = p.id))
        """
    )
    assert payments == references == claims == events
    assert (doubled, orphans, unannounced) == (0, 0, 0)
    settled = site.rows(
        """select times, count(*) from (
               select (select count(*) from outbox_publication where positions @> e.position) as times
               from outbox_event e where event_type = 'payment.recorded') counted group by 1"""
    )
    assert settled == [(1, events)]


def every_invariant_holds(site: Site) -> None:
    verified = site.manage("verify")
    print(verified.stdout)
    assert verified.returncode == 0, verified.stdout + verified.stderr
