"""The way in for machines: the same views behind the few middlewares that a signed request needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.utils.module_loading import import_string

WEBHOOK_PREFIX = "/api/v1/payments/webhook"

StartResponse = Callable[..., Any]
WSGIApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class MachineHandler(WSGIHandler):
    """Django's handler with MACHINE_MIDDLEWARE in place of MIDDLEWARE.

    Sessions, CSRF, logins and messages are for people with a browser; a webhook has none of them, and walking through
    them costs it more than the check of its signature. None of MACHINE_MIDDLEWARE may have a view or exception hook:
    this chain has no place for them, and says so at start.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        # The type stubs leave out BaseHandler._get_response, which every middleware chain of Django ends in.
        handler = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]
        for name in reversed(settings.MACHINE_MIDDLEWARE):
            middleware = import_string(name)(handler)
            hooks = [hook for hook in ("process_view", "process_exception") if hasattr(middleware, hook)]
            if hooks:
                raise RuntimeError(f"{name} has {' and '.join(hooks)}: it cannot stand in MACHINE_MIDDLEWARE.")
            handler = convert_exception_to_response(middleware)
        self._middleware_chain = handler


def split_by_path(people: WSGIApplication, machines: WSGIApplication) -> WSGIApplication:
    """One application out of two: webhooks go to the second, everything else to the first."""

    def application(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        chosen = machines if environ.get("PATH_INFO", "").startswith(WEBHOOK_PREFIX) else people
        return chosen(environ, start_response)

    return application
