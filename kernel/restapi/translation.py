"""What Django, REST framework and the database raise, as one of our three families."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import psycopg
from django.core.exceptions import BadRequest, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions as rest

from kernel.errors import (
    FieldError,
    Forbidden,
    NotFound,
    PaymentsiteError,
    RateLimited,
    Refused,
    Unauthenticated,
    Unavailable,
)

# The field that is named when the request as a whole is wrong.
WHOLE_REQUEST = "request"
DATABASE_SILENT = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


class Malformed(Refused):
    """The request could not be read."""

    status = 400
    code = "malformed"
    title = "Malformed request"
    next_step = "Send what the API's description asks for; detail says where reading stopped."


class Invalid(Refused):
    """Some fields do not hold what they should; errors names each."""

    code = "invalid"
    title = "Invalid request"
    next_step = "Correct the fields that errors names, then send the request again."


class MethodNotAllowed(Refused):
    """This address does not answer this method."""

    status = 405
    code = "method-not-allowed"
    title = "Method not allowed"
    next_step = "Use one of the methods that the Allow header lists."


class NotAcceptable(Refused):
    """None of the media types of the Accept header can be given."""

    status = 406
    code = "not-acceptable"
    title = "Not acceptable"
    next_step = "Accept application/json."


class TooLarge(Refused):
    """The body is larger than this address takes."""

    status = 413
    code = "too-large"
    title = "Body too large"
    next_step = "Send less at a time."


class UnsupportedMedia(Refused):
    """The body is of a media type that is not read here."""

    status = 415
    code = "unsupported-media-type"
    title = "Unsupported media type"
    next_step = "Send application/json and say so in Content-Type."


class DatabaseUnavailable(Unavailable):
    """The database did not answer in time; nothing was changed unless a repeat says so."""

    code = "database-unavailable"


def in_our_words(exc: Exception) -> PaymentsiteError | None:
    """The error as one of ours; None when it is a defect that nobody outside can do anything about."""
    if isinstance(exc, PaymentsiteError):
        return exc
    if isinstance(exc, rest.APIException):
        return _of_rest_framework(exc)
    # psycopg_pool.PoolTimeout is a psycopg.OperationalError, with Django's wrapping and without.
    if isinstance(exc, DATABASE_SILENT):
        return DatabaseUnavailable()
    if isinstance(exc, RequestDataTooBig):
        return TooLarge()
    if isinstance(exc, Http404):
        return NotFound()
    if isinstance(exc, PermissionDenied):
        return Forbidden(str(exc))
    if isinstance(exc, BadRequest | SuspiciousOperation | UnreadablePostError):
        return Malformed()
    return None


def _of_rest_framework(exc: rest.APIException) -> PaymentsiteError | None:
    detail = str(exc.detail) if not isinstance(exc.detail, list | dict) else ""
    if isinstance(exc, rest.ValidationError):
        return Invalid(errors=tuple(field_errors(exc.get_full_details())))
    if isinstance(exc, rest.Throttled):
        return RateLimited(retry_after_seconds=math.ceil(getattr(exc, "wait", None) or 1))
    for theirs, ours in (
        (rest.NotAuthenticated, Unauthenticated),
        (rest.AuthenticationFailed, Unauthenticated),
        (rest.PermissionDenied, Forbidden),
        (rest.NotFound, NotFound),
        (rest.MethodNotAllowed, MethodNotAllowed),
        (rest.NotAcceptable, NotAcceptable),
        (rest.UnsupportedMediaType, UnsupportedMedia),
        (rest.ParseError, Malformed),
    ):
        if isinstance(exc, theirs):
            return ours(detail)
    return _of_status(exc.status_code, detail)


def _of_status(status: int, detail: str) -> PaymentsiteError | None:
    if status == Unavailable.status:
        return Unavailable(detail)
    return Refused(detail) if 400 <= status < 500 else None


def field_errors(details: object, field: str = "") -> list[FieldError]:
    """REST framework's nested details, flat: `lines[2].amount` is the amount of the third line."""
    if isinstance(details, Mapping):
        if {"message", "code"} == set(details) and isinstance(details["message"], str):
            return [FieldError(field or WHOLE_REQUEST, str(details["code"]), str(details["message"]))]
        return [error for key, value in details.items() for error in field_errors(value, _path(field, key))]
    if isinstance(details, Sequence) and not isinstance(details, str):
        return [
            error for index, value in enumerate(details) for error in field_errors(value, _item(field, value, index))
        ]
    return []


def _path(field: str, key: object) -> str:
    if key == "non_field_errors":
        return field
    if isinstance(key, int):
        # REST framework gives the faulty rows of a list by their number.
        return f"{field}[{key}]"
    return f"{field}.{key}" if field else str(key)


def _item(field: str, value: object, index: int) -> str:
    # A list of messages belongs to the field itself; a list of rows counts them.
    is_message = isinstance(value, Mapping) and set(value) == {"message", "code"} and isinstance(value["message"], str)
    return field if is_message else f"{field}[{index}]"
