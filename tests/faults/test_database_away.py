"""PostgreSQL away, hanging, full: a clear answer in time, no half-write, and recovery without a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.faults.stack import MOST_CONNECTIONS, Answer, Site

# WEBHOOK_TIMEOUT_MS, the promise to every sender.
PROMISED_SECONDS = 5.0
RESUMED_SECONDS = 60.0
SENDERS = 24


def a_notice(reference: str, **changes: Any) -> dict[str, Any]:
    return {
        "reference_number": reference,
        "loan_account_number": "LN100",
        "cif": "CIF7",
        "amount": 125.5,
        "payment_date": datetime.now(UTC).isoformat(),
    } | changes


def all_at_once(site: Site, references: list[str]) -> list[Answer]:
    """One sender for each reference, all at the same moment: three times as many as the web process has threads."""
    answers: dict[str, Answer] = {}

    def send(reference: str) -> None:
        answers[reference] = site.post(a_notice(reference), webhook_id=f"msg_{reference}")

    threads = [threading.Thread(target=send, args=(reference,)) for reference in references]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answers[reference] for reference in references]


def are_told_to_come_again(answers: list[Answer]) -> None:
    for answer in answers:
        assert answer.status == 503, answer
        assert answer.body["code"] == "database-unavailable"
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.seconds < PROMISED_SECONDS
    print(f"slowest 503: {max(answer.seconds for answer in answers):.2f} s of {len(answers)}")


def recorded(site: Site, references: list[str]) -> None:
    """Sent again until each is acknowledged; then there is one payment and one event for each, whatever went before."""
    began = time.monotonic()
    for reference in references:
        notice = a_notice(reference, payment_date="2026-11-20T12:00:00Z")
        while site.post(notice, webhook_id=f"again_{reference}").status not in (200, 201, 409):
            assert time.monotonic() - began < RESUMED_SECONDS
            time.sleep(0.1)
    print(f"recovered in {time.monotonic() - began:.2f} s")
    for reference in references:
        counted = "select count(*), count(e.event_id) from payments p left join outbox_event e on e.event_id = p.id"
        assert site.rows(f"{counted} where reference_number = %s", reference) == [(1, 1)]


def hurt_and_healed(site: Site, name: str, hurt: Callable[[], Any], heal: Callable[[Any], None]) -> None:
    web = site.pids_of("web")
    assert site.post(a_notice(f"{name}-before"), webhook_id=f"msg_{name}-before").status == 201
    references = [f"{name}-{place}" for place in range(SENDERS)]
    done = hurt()
    try:
        are_told_to_come_again(all_at_once(site, references))
        are_told_to_come_again(all_at_once(site, references))
    finally:
        heal(done)
    recorded(site, [f"{name}-before", *references])
    is_whole(site)
    assert site.pids_of("web") == web


def test_a_database_that_is_down_is_answered_in_time_and_found_again(site: Site) -> None:
    hurt_and_healed(site, "DOWN", lambda: site.stop_own("PostgreSQL"), lambda _: site.start_own("PostgreSQL"))


def test_a_database_that_hangs_is_answered_in_time_and_found_again(site: Site) -> None:
    hurt_and_healed(site, "HANG", lambda: site.freeze("PostgreSQL"), site.thaw)


def test_a_database_without_a_free_connection_is_answered_in_time_and_found_again(site: Site) -> None:
    def take_all_connections() -> list[psycopg.Connection[Any]]:
        """Every connection that the server allows, those of the web process too."""
        taken: list[psycopg.Connection[Any]] = []
        while len(taken) < MOST_CONNECTIONS:
            with suppress(psycopg.OperationalError):
                taken.append(site.connect())
                continue
            taken[0].execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name like 'paymentsite-%' or backend_type = 'autovacuum worker'"
            )
        return taken

    def give_back(taken: list[psycopg.Connection[Any]]) -> None:
        for session in taken:
            session.close()

    hurt_and_healed(site, "FULL", take_all_connections, give_back)


def test_a_full_disk_is_said_clearly_and_leaves_nothing_half_written(site: Site) -> None:
    if site.disk is None:
        pytest.skip("a small disk can only be mounted by root")
    ballast = site.disk / "ballast"
    sent: list[str] = []
    refused: list[Answer] = []
    with ballast.open("wb") as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
            file.flush()
    # The free space inside the tables' pages takes some payments yet.
    while not refused:
        assert len(sent) < 5000, "The disk was never full."
        sent.append(f"DISK-{len(sent)}")
        answer = site.post(a_notice(sent[-1], metadata={"note": "x" * 2000}), webhook_id=f"msg_{sent[-1]}")
        if answer.status != 201:
            refused.append(answer)
    are_told_to_come_again(refused)
    is_whole(site)

    ballast.unlink()
    recorded(site, sent)
    is_whole(site)
    print(f"{len(sent) - 1} payments went into the last free pages")


def is_whole(site: Site) -> None:
    [(payments, claims, events)] = site.rows(
        "select (select count(*) from payments), (select count(*) from payment_references)"
        " + (select count(*) from payment_references_previous) + (select count(*) from payment_references_history),"
        " (select count(*) from outbox_event where event_type = 'payment.recorded')"
    )
    assert payments == claims == events
