"""Who may call what: every view names the scope that each of its methods needs."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from kernel.errors import Forbidden, Unauthenticated


class ScopeMissing(Forbidden):
    """The credentials are valid but lack a scope that this needs."""

    code = "scope-missing"
    title = "Scope missing"
    next_step = "Ask an administrator for a key with the scope named in required_scope."


class HasScope(BasePermission):
    """Compares `request.auth.scopes` with the view's `required_scopes`: one scope, or a dict of method to scope.

    Raises Unauthenticated without credentials and ScopeMissing (403) naming the scope. A view that names no scope for
    a method of its own is a defect and answers nobody.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        credentials: Any = request.auth
        if credentials is None:
            raise Unauthenticated("Credentials are needed here: send Authorization: Bearer with an API key.")
        required = _required(view, str(request.method))
        scopes: Iterable[str] = credentials.scopes
        if required is not None and required not in scopes:
            raise ScopeMissing(f"This needs the scope {required}.", required_scope=required)
        return True


def _required(view: Any, method: str) -> str | None:
    # OPTIONS tells only what the schema tells; a method that the view lacks is refused by name right after this.
    if method == "OPTIONS" or method not in view.allowed_methods:
        return None
    scopes: dict[str, str] | str | None = getattr(view, "required_scopes", None)
    if isinstance(scopes, str):
        return scopes
    method = "GET" if method == "HEAD" else method
    if scopes and method in scopes:
        return scopes[method]
    raise ImproperlyConfigured(f"{type(view).__name__} names no scope for {method} in required_scopes.")
