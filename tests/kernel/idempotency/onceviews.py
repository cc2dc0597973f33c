"""Views whose work leaves a row behind, called as a partner calls them, from threads with connections of their own."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from kernel.idempotency.protocol import idempotent
from kernel.requests import bind_actor
from kernel.transactions import inside_unit_of_work

factory = APIRequestFactory()
PATH = "/api/v1/groups"


@dataclass(frozen=True)
class Partner:
    pk: int
    is_authenticated: bool = True


class ByHeader(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Partner, None]:
        bind_actor("api-client:tests")
        return Partner(int(request.headers.get("X-Partner", "1"))), None


@inside_unit_of_work
def add_group(name: str) -> Response:
    """One more row a call: the same name twice is refused by nobody but the key."""
    group = Group.objects.create(name=f"{name} {Group.objects.count()} {threading.get_ident()}")
    return Response({"id": group.pk, "name": name}, status=201, headers={"Location": f"{PATH}/{group.pk}"})


class OnceView(APIView):
    """POST {"name": …} adds a group, or does what `work` and `finish` say."""

    authentication_classes = (ByHeader,)
    permission_classes = ()
    throttle_classes = ()
    work: Callable[..., Any] | None = None
    finish: Callable[..., Any] | None = None

    def post(self, request: Request) -> HttpResponse:
        body: Any = request.data

        def work() -> Any:
            return add_group(body["name"]) if self.work is None else self.work(body)

        return idempotent(request, work, at=timezone.now(), finish=self.finish)


def post(
    key: str | None = "k-1",
    body: Any = None,
    *,
    partner: int = 1,
    path: str = PATH,
    work: Callable[..., Any] | None = None,
    finish: Callable[..., Any] | None = None,
) -> Any:
    headers = {"X-Partner": str(partner)} | ({} if key is None else {"Idempotency-Key": key})
    request = factory.post(path, {"name": "new"} if body is None else body, format="json", headers=headers)
    return OnceView.as_view(work=work, finish=finish)(request)


def code_of(response: Any) -> str:
    assert response["Content-Type"] == "application/problem+json"
    return str(json.loads(response.content)["code"])


def at_once(count: int, call: Callable[[int], Any]) -> list[Any]:
    """What `call` gave to each of so many threads, which have connections of their own and begin together."""
    answers: list[Any] = [None] * count
    start = threading.Barrier(count)

    def with_own_connection(number: int) -> None:
        try:
            connection.ensure_connection()
            start.wait()
            answers[number] = call(number)
        finally:
            connection.close()

    threads = [threading.Thread(target=with_own_connection, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@contextmanager
def in_background(call: Callable[[], Any]) -> Iterator[list[Any]]:
    """Runs `call` in a thread with its own connection; what it gave is in the list when the block is over."""
    given: list[Any] = []

    def with_own_connection() -> None:
        try:
            given.append(call())
        finally:
            connection.close()

    thread = threading.Thread(target=with_own_connection)
    thread.start()
    try:
        yield given
    finally:
        thread.join()
