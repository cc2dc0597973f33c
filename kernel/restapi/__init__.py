"""How the API speaks: problems (RFC 9457), scopes, exact JSON, keyset pages, and the words for all this in OpenAPI."""

from kernel.restapi.pagination import CursorPagination
from kernel.restapi.parsers import ExactJSONParser
from kernel.restapi.permissions import HasScope
from kernel.restapi.problems import problem, problem_response
from kernel.restapi.renderers import ExactJSONRenderer
from kernel.restapi.schema import ProblemSerializer, problem_responses
from kernel.restapi.siteerrors import handler400, handler403, handler404, handler500
from kernel.restapi.throttles import ClientRateLimit

__all__ = [
    "ClientRateLimit",
    "CursorPagination",
    "ExactJSONParser",
    "ExactJSONRenderer",
    "HasScope",
    "ProblemSerializer",
    "handler400",
    "handler403",
    "handler404",
    "handler500",
    "problem",
    "problem_response",
    "problem_responses",
]
