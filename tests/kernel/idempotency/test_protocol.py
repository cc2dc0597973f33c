from __future__ import annotations

import json
import threading
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, OperationalError, connection, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from kernel.audit.actors import Actor
from kernel.errors import Conflict, FieldError, Refused, Unavailable
from kernel.idempotency.models import IdempotentRequest
from kernel.pruning.operations import prune
from kernel.pruning.registry import Pruning, prunables
from kernel.transactions import after_commit, is_inside_unit_of_work, unit_of_work
from tests.kernel.idempotency.onceviews import add_group, at_once, code_of, in_background, post

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 20


def kept() -> IdempotentRequest:
    return IdempotentRequest.objects.get()


def heard(response: Any) -> tuple[int, bytes, str, str]:
    """What a caller acts on."""
    return response.status_code, response.content, response["Content-Type"], response.get("Location", "")


def test_a_repeat_has_no_effect_and_hears_the_first_answer_byte_for_byte() -> None:
    first, repeat = post(), post()
    assert heard(first) == heard(repeat)
    assert first.status_code == 201
    assert json.loads(first.content) == {"id": Group.objects.get().pk, "name": "new"}
    assert not first.has_header("Idempotent-Replayed")
    assert repeat["Idempotent-Replayed"] == "true"
    assert kept().status_code == 201


def test_another_key_another_partner_or_another_path_is_another_request() -> None:
    assert [post("k-1").status_code, post("k-2").status_code, post("k-1", partner=2).status_code] == [201, 201, 201]
    assert Group.objects.count() == 3
    assert code_of(post("k-1", path="/api/v1/others")) == "idempotency-key-reused"
    assert code_of(post("k-1", path="/api/v1/groups?dry=1")) == "idempotency-key-reused"
    assert Group.objects.count() == 3


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ({"name": "a", "note": "x"}, {"note": "x", "name": "a"}, True),
        ({"name": "a", "tags": ["x", "y"]}, {"name": "a", "tags": ["y", "x"]}, False),
        ({"name": "a", "amount": 1}, {"name": "a", "amount": "1"}, False),
        ({"name": "a"}, {"name": "a", "note": None}, False),
        ({"name": "a"}, {"name": "A"}, False),
    ],
)
def test_the_content_is_compared_as_json(first: Any, second: Any, is_same: bool) -> None:
    assert post(body=first).status_code == 201
    answer = post(body=second)
    assert (answer.status_code, Group.objects.count()) == ((201 if is_same else 422), 1)
    assert answer.has_header("Idempotent-Replayed") is is_same


@pytest.mark.parametrize(
    ("key", "code"),
    [
        (None, "idempotency-key-missing"),
        ("", "idempotency-key-invalid"),
        ("k" * 256, "idempotency-key-invalid"),
        ("schlüssel", "idempotency-key-invalid"),
        ("tab\there", "idempotency-key-invalid"),
    ],
)
def test_without_a_usable_key_nothing_is_done(key: str | None, code: str) -> None:
    answer = post(key)
    assert (answer.status_code, code_of(answer)) == (400, code)
    assert (Group.objects.count(), IdempotentRequest.objects.count()) == (0, 0)


def test_the_longest_and_the_shortest_key_are_usable() -> None:
    assert [post("k" * 255).status_code, post("~").status_code] == [201, 201]


class NotForYou(Refused):
    """This is refused."""

    code = "not-for-you"


class DoneOtherwise(Conflict):
    """This was done in another way."""

    code = "done-otherwise"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotForYou("No.", errors=(FieldError("name", "bad", "Not this one."),), ids=[7]), 422),
        (DoneOtherwise(), 409),
        (ValidationError({"name": ["no"]}), 422),
    ],
)
def test_a_refusal_undoes_the_work_and_is_what_every_repeat_hears(error: Exception, status: int) -> None:
    told: list[str] = []

    def refused(body: Any) -> Response:
        add_group("never")
        after_commit(lambda: told.append("never"))
        raise error

    first, repeat = post(work=refused), post(work=refused)
    assert (first.status_code, heard(first)) == (status, heard(repeat))
    assert first["Content-Type"] == "application/problem+json"
    assert repeat["Idempotent-Replayed"] == "true"
    assert (Group.objects.count(), told, kept().status_code) == (0, [], status)


@pytest.mark.parametrize("error", [Unavailable(), OperationalError("the server closed the connection")])
def test_what_may_be_repeated_is_not_kept(error: Exception) -> None:
    def broken(body: Any) -> Response:
        add_group("never")
        raise error

    assert post(work=broken).status_code == 503
    assert (Group.objects.count(), IdempotentRequest.objects.count()) == (0, 0)
    assert post().status_code == 201
    assert Group.objects.count() == 1


def test_a_crash_between_claim_and_end_leaves_nothing() -> None:
    class Crash(BaseException):
        pass

    def crashing(body: Any) -> Response:
        add_group("never")
        raise Crash

    with pytest.raises(Crash):
        post(work=crashing)
    assert (Group.objects.count(), IdempotentRequest.objects.count()) == (0, 0)
    assert not post().has_header("Idempotent-Replayed")


def test_a_session_that_is_killed_during_the_work_leaves_nothing() -> None:
    def killed(body: Any) -> Response:
        add_group("never")
        with connection.cursor() as cursor:
            cursor.execute("select pg_terminate_backend(pg_backend_pid())")
        raise AssertionError("never reached")

    assert post(work=killed).status_code == 503
    connection.close()
    assert (Group.objects.count(), IdempotentRequest.objects.count()) == (0, 0)


def test_work_that_opens_a_transaction_of_its_own_is_a_defect() -> None:
    @unit_of_work
    def of_its_own(body: Any) -> Response:
        return add_group("never")

    with pytest.raises(RuntimeError, match="opens its own unit of work"):
        post(work=of_its_own)
    assert IdempotentRequest.objects.count() == 0


def test_a_plain_response_and_one_without_a_body_are_kept_as_they_are() -> None:
    csv = [post(work=lambda body: HttpResponse("a,b\r\n", content_type="text/csv", status=202)) for _ in range(2)]
    assert heard(csv[0]) == heard(csv[1]) == (202, b"a,b\r\n", "text/csv", "")
    empty = [post("k-2", work=lambda body: Response(status=204)) for _ in range(2)]
    assert [(answer.status_code, answer.content, answer.has_header("Content-Type")) for answer in empty] == [
        (204, b"", False)
    ] * 2


def the_same(key: str, number: int) -> Any:
    return post(key)


def one_of_two(key: str, number: int) -> Any:
    return post(key, {"name": ("one", "two")[number]})


def test_sixty_four_at_once_make_one_row_and_hear_the_same() -> None:
    for number in range(ROUNDS):
        answers = at_once(64, partial(the_same, f"k-{number}"))
        assert {heard(answer) for answer in answers} == {heard(answers[0])}
        assert answers[0].status_code == 201
        assert sorted(answer.has_header("Idempotent-Replayed") for answer in answers) == [False] + [True] * 63
        assert Group.objects.count() == number + 1
    assert IdempotentRequest.objects.count() == ROUNDS


def test_of_two_contents_under_one_key_one_has_no_effect() -> None:
    for number in range(200):
        answers = at_once(2, partial(one_of_two, f"k-{number}"))
        assert sorted(answer.status_code for answer in answers) == [201, 422]
        won = next(json.loads(answer.content)["name"] for answer in answers if answer.status_code == 201)
        names = [group.name.split()[0] for group in Group.objects.order_by("-pk")[:1]]
        assert (names, Group.objects.count()) == ([won], number + 1)


def test_while_the_first_runs_a_repeat_is_told_so_and_when_to_come_back(settings: Any) -> None:
    settings.IDEMPOTENCY_WAIT_MS = 50
    at_work, go_on = threading.Event(), threading.Event()

    def slow(body: Any) -> Response:
        at_work.set()
        assert go_on.wait(30)
        return add_group("slow")

    with in_background(lambda: post(work=slow)) as first:
        assert at_work.wait(30)
        early = post()
        settings.IDEMPOTENCY_WAIT_MS = 0
        at_once_told = post()
        go_on.set()
    for answer in (early, at_once_told):
        assert (answer.status_code, code_of(answer), answer["Retry-After"]) == (409, "idempotency-key-in-use", "2")
    assert (first[0].status_code, heard(post())) == (201, heard(first[0]))
    assert Group.objects.count() == 1


def test_who_waits_for_a_first_that_breaks_does_the_work() -> None:
    at_work, go_on = threading.Event(), threading.Event()

    def breaking(body: Any) -> Response:
        add_group("never")
        at_work.set()
        assert go_on.wait(30)
        raise Unavailable

    with (
        in_background(lambda: post(work=breaking)) as first,
        in_background(lambda: at_work.wait(30) and post()) as next_,
    ):
        assert at_work.wait(30)
        until_somebody_waits()
        go_on.set()
    assert (first[0].status_code, next_[0].status_code, Group.objects.count()) == (503, 201, 1)


def until_somebody_waits() -> None:
    with connection.cursor() as cursor:
        while True:
            cursor.execute("select count(*) from pg_locks where locktype = 'advisory' and not granted")
            if cursor.fetchone()[0]:
                return


def test_the_wait_leaves_the_works_own_limits_alone() -> None:
    found: list[str] = []

    def looking(body: Any) -> Response:
        with connection.cursor() as cursor:
            cursor.execute("show lock_timeout")
            found.append(cursor.fetchone()[0])
        raise Unavailable

    at_once(4, lambda _: post(work=looking))
    assert found == ["0"] * 4


def test_the_second_phase_runs_outside_and_its_answer_is_kept() -> None:
    seen: list[Any] = []

    def begin(body: Any) -> dict[str, Any]:
        assert is_inside_unit_of_work()
        add_group("begun")
        return {"group": Group.objects.get().pk}

    def finish(subject: dict[str, Any]) -> Response:
        assert not is_inside_unit_of_work()
        seen.append((subject, kept().state))
        return Response(subject, status=201)

    first, repeat = [post(work=begin, finish=finish) for _ in range(2)]
    assert heard(first) == heard(repeat)
    assert seen == [({"group": Group.objects.get().pk}, "running")]
    assert repeat["Idempotent-Replayed"] == "true"


def test_a_refusal_of_the_second_phase_is_kept_and_the_rows_of_the_first_stay() -> None:
    def finish(subject: dict[str, Any]) -> Response:
        raise NotForYou

    answers = [post(work=begun, finish=finish) for _ in range(2)]
    assert heard(answers[0]) == heard(answers[1])
    assert (answers[0].status_code, Group.objects.count(), kept().state) == (422, 1, "answered")


def begun(body: Any) -> dict[str, Any]:
    add_group("begun")
    return {"group": Group.objects.get().pk}


def test_a_second_phase_that_broke_goes_on_with_the_same_rows() -> None:
    calls: list[dict[str, Any]] = []

    def finish(subject: dict[str, Any]) -> Response:
        calls.append(subject)
        if len(calls) == 1:
            raise Unavailable
        return Response(subject, status=201)

    assert post(work=begun, finish=finish).status_code == 503
    assert kept().state == "running"
    assert post(work=begun, finish=finish).status_code == 201
    assert (len(calls), calls[0], Group.objects.count(), kept().attempts) == (2, calls[1], 1, 2)


def test_a_second_phase_whose_process_died_goes_on_after_its_lease(settings: Any) -> None:
    settings.IDEMPOTENCY_WAIT_MS = 60

    class Killed(BaseException):
        pass

    def dies(subject: dict[str, Any]) -> Response:
        raise Killed

    with pytest.raises(Killed):
        post(work=begun, finish=dies)
    live = lambda subject: Response(subject, status=201)  # noqa: E731
    early = post(work=begun, finish=live)
    assert (early.status_code, code_of(early)) == (409, "idempotency-key-in-use")
    IdempotentRequest.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert (post(work=begun, finish=live).status_code, Group.objects.count()) == (201, 1)


def test_many_repeats_of_a_second_phase_run_it_once() -> None:
    calls: list[int] = []

    def finish(subject: dict[str, Any]) -> Response:
        calls.append(1)
        return Response(subject, status=201)

    answers = at_once(16, lambda _: post(work=begun, finish=finish))
    assert ({heard(answer) for answer in answers}, len(calls)) == ({heard(answers[0])}, 1)
    assert (answers[0].status_code, Group.objects.count()) == (201, 1)


def test_who_was_overtaken_hears_the_answer_of_the_one_who_went_on() -> None:
    def overtaken(subject: dict[str, Any]) -> Response:
        IdempotentRequest.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert post(work=begun, finish=lambda subject: Response({"by": "the second"}, status=201)).status_code == 201
        return Response({"by": "the first"}, status=201)

    answer = post(work=begun, finish=overtaken)
    assert (json.loads(answer.content), answer["Idempotent-Replayed"]) == ({"by": "the second"}, "true")
    assert json.loads(bytes(kept().body)) == {"by": "the second"}


def test_work_of_two_phases_may_answer_at_once() -> None:
    def never(subject: dict[str, Any]) -> Response:
        raise AssertionError("never called")

    assert [post(finish=never).status_code for _ in range(2)] == [201, 201]
    assert Group.objects.count() == 1


def test_a_subject_without_a_second_phase_is_a_defect() -> None:
    with pytest.raises(TypeError, match="needs a finish"):
        post(work=begun)
    assert (Group.objects.count(), IdempotentRequest.objects.count()) == (0, 0)


@pytest.mark.parametrize("change", [{"state": "running"}, {"key": "k\n"}, {"key": ""}, {"completed_at": None}])
def test_the_database_keeps_a_row_in_shape(change: dict[str, Any]) -> None:
    post()
    with pytest.raises(IntegrityError), transaction.atomic():
        IdempotentRequest.objects.update(**change)


def test_a_key_is_remembered_for_thirty_days_and_is_new_again_when_its_answer_was_pruned() -> None:
    first = post()
    made_at = kept().created_at
    [answers] = [kind for kind in prunables() if kind.name == "idempotent-requests"]
    days = timedelta(days=30)

    assert prune(answers, Pruning(uuid4(), Actor.system("test"), made_at + days), pause_seconds=0).deleted == 0
    assert heard(post()) == heard(first)
    later = made_at + days + timedelta(microseconds=1)
    assert prune(answers, Pruning(uuid4(), Actor.system("test"), later), pause_seconds=0).deleted == 1
    again = post()
    assert (again.status_code, again.has_header("Idempotent-Replayed"), Group.objects.count()) == (201, False, 2)
