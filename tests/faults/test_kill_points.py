"""kill -9 before, during and after every exchange with PostgreSQL and Kafka: recording, staging, relay.

The points are not listed: each run goes one exchange further than the last, until one ends without being killed.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from kernel.outbox.tail import read_messages
from tests.faults.seam import Moment
from tests.faults.zygote import Ending, Zygote
from tests.payments.staged import a_row, count, prepare_staging, stage
from tests.payments.webhooks import make_channel, signed

pytestmark = pytest.mark.django_db(transaction=True)
MOST_POINTS = 200
# After one exchange is before the next; a run of several rounds tries both sides.
MOMENTS = [*Moment] if int(os.environ.get("FAULT_ROUNDS", "1")) > 1 else [Moment.BEFORE, Moment.DURING]
LEAD_SECONDS = 20


def zygote(**environment: str) -> Zygote:
    database = connection.settings_dict
    url = f"postgresql://{database['USER']}@/{database['NAME']}?host={database['HOST']}"
    return Zygote({"DATABASE_URL": url} | environment)


def every_point(call: Callable[[int, Moment], Ending]) -> Iterator[tuple[str, Ending]]:
    """Yields after every kill, with the name of its point, until the work was done before the point was reached."""
    for moment in MOMENTS:
        for number in range(1, MOST_POINTS):
            ending = call(number, moment)
            if not ending.was_killed:
                break
            name = f"{moment}-{number}"
            print(f"{name}: {ending.where}")
            yield name, ending
        else:
            raise AssertionError(f"More than {MOST_POINTS} exchanges.")


def rows(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


# Recording


@pytest.fixture(scope="module")
def noted() -> Iterator[dict[str, int]]:
    """How many points each kind of work had; printed at the end, for docs/trust.md."""
    points: dict[str, int] = defaultdict(int)
    yield points
    print("\nKill points: " + ", ".join(f"{kind} {number}" for kind, number in sorted(points.items())))


def a_notice(reference: str, **changes: Any) -> dict[str, Any]:
    return {
        "reference_number": reference,
        "loan_account_number": "LN100",
        "cif": "CIF7",
        "amount": 125.5,
        "payment_date": datetime.now(UTC).isoformat(),
    } | changes


def as_message(notice: dict[str, Any], webhook_id: str) -> dict[str, Any]:
    body = json.dumps(notice)
    return {"body": body, "headers": signed(body.encode(), webhook_id=webhook_id)}


@pytest.fixture
def web() -> Iterator[Zygote]:
    prepare_staging()
    make_channel(rate_limit_per_minute=10**6)
    # Without the memory of references every repeat takes the longer way, through the database.
    with zygote(PAYMENTSITE_ROLE="web", DB_POOL_MIN="1", ENABLE_MEMORY_CACHE="false") as started:
        yield started


def recorded_once(reference: str, amount: str) -> None:
    """One payment of this amount, one claim of the gate, one event, and one receipt that names the payment as new."""
    [(payment_id, recorded)] = rows("select id, amount from payments where reference_number = %s", reference)
    assert str(recorded) == amount
    assert rows("select payment_id from payment_references where reference_number = %s", reference) == [(payment_id,)]
    assert rows("select count(*) from outbox_event where event_id = %s", payment_id) == [(1,)]
    assert rows(
        "select count(*) from outbox_delivery join outbox_event using (position) where event_id = %s", payment_id
    ) == [(1,)]
    created = "select count(*) from webhook_receipt where outcome = 'created' and payment_id = %s"
    assert rows(created, payment_id) == [(1,)]


def nothing_half() -> None:
    """At any moment: as many payments as claims, events and queued events."""
    [(payments, claims, events, orphans)] = rows(
        """select (select count(*) from payments), (select count(*) from payment_references),
                  (select count(*) from outbox_event),
                  (select count(*) from outbox_event e left join payments p on p.id = e.event_id where p.id is null)"""
    )
    assert payments == claims == events
    assert orphans == 0


@pytest.mark.parametrize("is_old", [False, True], ids=["in a known month", "in a month without a partition"])
def test_a_new_payment_survives_a_kill_at_every_exchange(web: Zygote, noted: dict[str, int], is_old: bool) -> None:
    months = iter(range(1, 118))

    def notice_of(name: str) -> dict[str, Any]:
        return a_notice(
            name, payment_date=(datetime.now(UTC) - timedelta(days=31 * next(months) if is_old else 0)).isoformat()
        )

    sent: list[dict[str, Any]] = []

    def call(number: int, moment: Moment) -> Ending:
        name = f"NEW-{moment}-{number}"
        sent.append(as_message(notice_of(name) | {"reference_number": name}, f"msg_{name}"))
        return web.call("post_webhook", kill_at=number, moment=moment, **sent[-1])

    for name, _ in every_point(call):
        nothing_half()
        again = web.call("post_webhook", **sent[-1]).result
        assert again is not None
        assert again["code"] in (200, 201)
        recorded_once(f"NEW-{name}", "125.50")
        noted["new payment"] += 1
    nothing_half()


def test_a_duplicate_and_a_conflict_survive_a_kill_at_every_exchange(web: Zygote, noted: dict[str, int]) -> None:
    known = a_notice("KNOWN")
    assert web.call("post_webhook", **as_message(known, "msg_first")).result["code"] == 201  # type: ignore[index]
    before = count("payments")

    for kind, notice, expected in (("duplicate", known, 200), ("conflict", known | {"amount": 130}, 409)):

        def call(number: int, moment: Moment, kind: str = kind, notice: dict[str, Any] = notice) -> Ending:
            message = as_message(notice, f"msg_{kind}_{moment}_{number}")
            return web.call("post_webhook", kill_at=number, moment=moment, **message)

        for name, _ in every_point(call):
            again = web.call("post_webhook", **as_message(notice, f"msg_{kind}_again_{name}")).result
            assert again is not None
            assert again["code"] == expected
            recorded_once("KNOWN", "125.50")
            nothing_half()
            noted[kind] += 1

    assert count("payments") == before
    assert count("reference_conflict") == 1


# Staging


def stage_a_bit_of_everything(mark: str) -> None:
    """Twelve rows, of which eight become payments: one repeats another, one conflicts, one is refused by a rule, one
    repeats what the batch before recorded. Batches of five: the kill finds the work begun, in the middle, at its end.
    """
    names = [f"{mark}-{place}" for place in range(8)]
    known = [a_row(name) for name in names]
    stage(
        *known[:4],
        known[0],
        *known[4:],
        a_row(names[1]),
        a_row(names[2], amount="9.99"),
        a_row(f"{mark}-bad", amount="-1"),
    )


def test_staged_rows_survive_a_kill_at_every_exchange(noted: dict[str, int]) -> None:
    prepare_staging()
    marks: list[str] = []
    with zygote(PAYMENTSITE_ROLE="worker") as worker:

        def call(number: int, moment: Moment) -> Ending:
            marks.append(f"S-{moment}-{number}")
            stage_a_bit_of_everything(marks[-1])
            return worker.call("ingest_staging", kill_at=number, moment=moment, batch_size=5)

        for name, _ in every_point(call):
            nothing_half()
            # What is marked is what is accounted for, to the row.
            assert count("payment_staging", "processed") == accounted_for()
            worker.call("ingest_staging", batch_size=5)
            all_taken_in(len(marks), name)
            noted["staged rows"] += 1
    all_taken_in(len(marks), "the end")


def accounted_for() -> int:
    tables = ("payments", "staging_duplicate", "staging_rejection")
    conflicts = "select coalesce(sum(times_seen), 0) from reference_conflict"
    return sum(count(table) for table in tables) + int(rows(conflicts)[0][0])


def all_taken_in(rounds: int, name: str) -> None:
    nothing_half()
    assert count("payment_staging", "processed is not true") == 0, name
    assert count("payments") == count("outbox_delivery") == 8 * rounds, name
    assert count("staging_duplicate") == 2 * rounds, name
    assert count("staging_rejection") == count("reference_conflict") == rounds, name
    [(total,)] = rows("select sum(total_records) from staging_process_log where status = 'completed'")
    assert total == 12 * rounds, name


# Relay


def queue_events(topic: str, first: int, number: int = 6) -> None:
    rows(
        """
        with recorded as (
            insert into outbox_event (event_id, event_type, source, subject, topic, key, body, occurred_at)
            select gen_random_uuid(), 'thing.happened', '/tests', 'thing/' || n, %s, 'LN' || n %% 2,
                   '{"n": ' || n || '}', now()
            from generate_series(%s::int, %s::int) as n order by n
            returning position, key
        ), queued as (insert into outbox_delivery (position, key) select position, key from recorded)
        select count(*) from recorded
        """,
        topic,
        first,
        first + number - 1,
    )


def drain(relay: Zygote) -> None:
    """Once more, as the supervisor would; the dead relay's lock goes when PostgreSQL notices that it is gone."""
    deadline = time.monotonic() + LEAD_SECONDS
    while (ending := relay.call("relay_outbox").result) is None or ending["delivered"] is None:
        assert time.monotonic() < deadline, "The dead relay's lock was not released."


def test_events_survive_a_kill_of_the_relay_at_every_exchange(noted: dict[str, int]) -> None:
    topic = "test.kill-points"
    queued = 0
    with zygote(PAYMENTSITE_ROLE="relay", KAFKA_BATCH_SIZE="4") as relay:

        def call(number: int, moment: Moment) -> Ending:
            nonlocal queued
            queue_events(topic, queued)
            queued += 6
            return relay.call("relay_outbox", kill_at=number, moment=moment)

        for name, _ in every_point(call):
            drain(relay)
            assert count("outbox_delivery") == 0, name
            noted["relay"] += 1
    assert settings.KAFKA_BROKERS
    first_seen: dict[bytes, dict[int, None]] = defaultdict(dict)
    for message in read_messages(topic, from_beginning=True, timeout_seconds=3):
        first_seen[message.key() or b""].setdefault(json.loads(message.value() or b"")["n"])
    assert {key: [*seen] for key, seen in first_seen.items()} == {
        b"LN0": [*range(0, queued, 2)],
        b"LN1": [*range(1, queued, 2)],
    }
    # Every event is in exactly one publication: what is settled is settled once.
    [(settled, doubled)] = rows(
        """select count(*), count(*) filter (where times <> 1) from (
               select (select count(*) from outbox_publication where positions @> event.position) as times
               from outbox_event event) counted"""
    )
    assert (settled, doubled) == (queued, 0)
