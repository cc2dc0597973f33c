from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory, force_authenticate
from rest_framework.views import APIView

from kernel.restapi import HasScope

factory = APIRequestFactory()


class Things(APIView):
    authentication_classes = ()
    permission_classes = (HasScope,)
    required_scopes: Any = {"GET": "things:read", "POST": "things:write"}

    def get(self, request: Request) -> Response:
        return Response({"ok": True})

    post = put = get


def called(method: str, scopes: list[str] | None, **attributes: Any) -> Any:
    request = getattr(factory, method)("/api/v1/things")
    if scopes is not None:
        client: Any = SimpleNamespace(scopes=scopes)
        force_authenticate(request, user=client, token=client)
    view: Any = type("View", (Things,), attributes)
    return view.as_view()(request)


def test_the_scope_of_the_method_opens_the_door() -> None:
    assert called("get", ["things:read"]).status_code == 200
    assert called("post", ["things:read", "things:write"]).status_code == 200
    assert called("head", ["things:read"]).status_code == 200


def test_one_scope_may_serve_all_methods() -> None:
    assert called("post", ["things"], required_scopes="things").status_code == 200
    assert called("post", ["thing"], required_scopes="things").status_code == 403


def test_without_credentials_the_answer_is_401_and_names_the_scheme() -> None:
    response = called("get", None)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, "Bearer")
    assert json.loads(response.content)["code"] == "unauthenticated"


def test_a_missing_scope_is_named() -> None:
    response = called("post", ["things:read"])
    parsed = json.loads(response.content)
    assert (response.status_code, parsed["code"], parsed["required_scope"]) == (403, "scope-missing", "things:write")
    assert "things:write" in parsed["detail"]


def test_a_method_that_the_view_lacks_is_405_and_not_403() -> None:
    assert called("delete", ["things:read"]).status_code == 405
    assert called("delete", None).status_code == 401


@pytest.mark.parametrize("scopes", [None, {}, {"GET": "things:read"}])
def test_a_view_that_names_no_scope_answers_nobody(scopes: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match="PUT"):
        called("put", ["things:read", "things:write"], required_scopes=scopes)
