from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import InternalError, connection
from django.utils import timezone

from kernel.audit.actors import Actor
from kernel.invariants import registry
from kernel.invariants.models import InvariantOutcome
from kernel.invariants.operations import verify
from kernel.invariants.registry import Breach, Invariant, Look, UnknownInvariant, invariants, register
from kernel.invariants.statements import BREACHES_KEPT, look_by_sql
from kernel.jobs.models import JobRun
from kernel.jobs.operations import request_job, run_job, run_now
from payments.models import Channel
from tests.console.people import signed_in

pytestmark = pytest.mark.django_db(transaction=True)
AT = datetime(2026, 11, 5, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _invariants_of_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test registers its own; they are gone after it."""
    monkeypatch.setattr(registry, "_invariants", {})


def declare(name: str, look: Look | None = None, *, is_quick: bool = False) -> None:
    seen = Look(5) if look is None else look
    register(Invariant(name, f"The sentence of {name}.", lambda at: seen, is_quick=is_quick))


BROKEN = Look(7, 2, (Breach("a", "A is wrong."),), 1)


def test_what_was_seen_is_kept_and_replaced_by_the_next_look() -> None:
    declare("one")
    declare("two", BROKEN)
    outcomes = verify(at=AT)
    assert [(o.invariant.name, o.is_broken) for o in outcomes] == [("one", False), ("two", True)]
    kept = InvariantOutcome.objects.get(name="two")
    assert (kept.looked_at, kept.broken, kept.unresolved) == (7, 2, 1)
    assert (kept.checked_at, kept.breaches) == (AT, [{"id": "a", "sentence": "A is wrong."}])

    declare("two")
    verify(only=["two"], at=AT + timedelta(hours=1))
    rows = InvariantOutcome.objects.order_by("name").values_list("name", "broken", "checked_at")
    assert list(rows) == [("one", 0, AT), ("two", 0, AT + timedelta(hours=1))]


def test_an_invariant_that_is_not_declared_any_more_is_forgotten() -> None:
    declare("old")
    verify(at=AT)
    registry._invariants.clear()
    declare("new")
    verify(at=AT)
    assert [outcome.name for outcome in InvariantOutcome.objects.all()] == ["new"]


def test_the_quick_ones_are_looked_at_alone() -> None:
    declare("slow")
    declare("fast", is_quick=True)
    assert [outcome.invariant.name for outcome in verify(quick=True, at=AT)] == ["fast"]
    assert [invariant.name for invariant in invariants()] == ["slow", "fast"]


def test_an_unknown_name_is_refused_with_the_known_ones_and_nothing_is_kept() -> None:
    declare("one")
    with pytest.raises(UnknownInvariant, match="There is no invariant nonsense; there are: one"):
        verify(only=["one", "nonsense"], at=AT)
    assert InvariantOutcome.objects.count() == 0


def test_all_looks_see_one_moment_although_others_write_meanwhile() -> None:
    seen: list[int] = []

    def count(at: datetime) -> Look:
        seen.append(look_by_sql("select count(*) from channel", []).looked_at)
        parameters = connection.get_connection_params()
        for not_for_psycopg in ("cursor_factory", "context"):
            parameters.pop(not_for_psycopg, None)
        with psycopg.connect(**parameters) as session:
            session.execute(
                "insert into channel (slug, name, is_active, adapter, mapping, currency, signature_scheme, secret,"
                " previous_secret, allowed_networks, rate_limit_per_minute, clock_tolerance_seconds, updated_at)"
                " values (%s, 'n', true, 'generic', '{}', '', 'standard', 's', '', '{}', 1, 1, now())",
                [f"channel-{len(seen)}"],
            )
        return Look(seen[-1])

    register(Invariant("first", "First.", count))
    register(Invariant("second", "Second.", count))
    verify(at=AT)
    assert seen == [0, 0]
    assert Channel.objects.count() == 2


def test_a_look_cannot_write() -> None:
    def write(at: datetime) -> Look:
        with connection.cursor() as cursor:
            cursor.execute("delete from channel")
        return Look(0)

    register(Invariant("writes", "Writes.", write))
    with pytest.raises(InternalError, match="read-only transaction"):
        verify(at=AT)
    assert InvariantOutcome.objects.count() == 0


def test_a_statement_counts_everything_and_keeps_the_first() -> None:
    def look(at: datetime) -> Look:
        return look_by_sql(
            "select 50",
            [
                "select lpad(n::text, 3, '0') as id, 'No. ' || n as sentence, n %% 2 = 0 as is_broken"
                " from generate_series(1, %(upto)s::integer) n"
            ],
            {"upto": 50},
        )

    register(Invariant("half", "Half.", look))
    (outcome,) = verify(at=AT)
    assert (outcome.look.looked_at, outcome.look.broken, outcome.look.unresolved) == (50, 25, 25)
    assert len(outcome.look.breaches) == BREACHES_KEPT
    assert outcome.look.breaches[0] == Breach("002", "No. 2")


def test_the_command_prints_every_invariant_and_ends_well(capsys: pytest.CaptureFixture[str]) -> None:
    declare("one")
    declare("two", is_quick=True)
    call_command("verify")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[:2]] == [["holds", "one", "5"], ["holds", "two", "5"]]
    assert lines[2] == "All 2 invariants hold."
    call_command("verify", "--fast")
    assert capsys.readouterr().out.splitlines()[1] == "All 1 invariants hold."


def test_the_command_names_what_is_broken_and_ends_with_1(capsys: pytest.CaptureFixture[str]) -> None:
    declare("one")
    declare("two", BROKEN)
    with pytest.raises(SystemExit) as ended:
        call_command("verify")
    assert ended.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("BROKEN  two")
    assert lines[1].endswith("1 cannot be judged")
    assert lines[2:] == [
        "        a: A is wrong.",
        "        and 1 more",
        "1 of 2 invariants are broken: two.",
    ]


def test_the_command_gives_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    declare("one")
    declare("two", BROKEN)
    with pytest.raises(SystemExit):
        call_command("verify", "--json", "--only", "two")
    document = json.loads(capsys.readouterr().out)
    assert document["broken"] == ["two"]
    assert [invariant["looked_at"] for invariant in document["invariants"]] == [7]


def test_the_command_refuses_an_unknown_name() -> None:
    declare("one")
    with pytest.raises(CommandError, match="There is no invariant nonsense"):
        call_command("verify", "--only", "nonsense")


def test_a_run_is_a_job_with_its_result() -> None:
    declare("one")
    declare("two", BROKEN)
    result = run_now("verify", actor=Actor.system("tests"))
    run = JobRun.objects.get()
    assert (run.name, run.status, run.done, run.total) == ("verify", "succeeded", 2, 2)
    assert run.result == result
    assert (result["looked_at"], result["broken"], result["unresolved"]) == (2, ["two"], ["two"])


def test_the_page_lists_what_is_broken_first_and_its_button_asks_for_a_run() -> None:
    declare("one")
    declare("two", BROKEN)
    verify(at=timezone.now())
    operator = signed_in("operator")
    page = operator.get("/admin/invariants/invariantoutcome/")
    text = page.content.decode()
    assert text.index("The sentence of two.") < text.index("The sentence of one.")
    assert "A is wrong." in operator.get("/admin/invariants/invariantoutcome/two/change/").content.decode()

    address = "/admin/invariants/invariantoutcome/verify_now/"
    assert "verify_now/" in text
    assert operator.get(address).status_code == 200
    assert JobRun.objects.count() == 0
    answer = operator.post(address, {"confirmed": "yes"})
    run = JobRun.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/admin/jobs/jobrun/{run.pk}/change/")
    assert (run.name, run.status) == ("verify", "queued")
    run_job(run.pk)
    run.refresh_from_db()
    assert run.status == "succeeded"


def test_a_viewer_sees_the_page_and_may_not_ask_for_a_run() -> None:
    viewer = signed_in("viewer")
    assert "verify_now/" not in viewer.get("/admin/invariants/invariantoutcome/").content.decode()
    assert viewer.post("/admin/invariants/invariantoutcome/verify_now/", {"confirmed": "yes"}).status_code == 403
    assert JobRun.objects.count() == 0


def test_a_second_run_at_the_same_time_is_refused() -> None:
    declare("one")
    request_job("verify", actor=Actor.system("tests"), at=timezone.now())
    with pytest.raises(CommandError, match="Verify every invariant runs already"):
        call_command("verify")
    assert JobRun.objects.count() == 1
