"""The one way to write an action in the admin: GET says what it will do and asks, POST does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import wraps
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.utils import timezone
from unfold.enums import ActionVariant

from kernel.adminsite.confirmation import ConfirmationPage, back_address
from kernel.audit.actors import Actor
from kernel.errors import PaymentsiteError

SELECTION_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Who confirmed, when, why, and what they filled in; `change_set` is shared by all records of one selection."""

    actor: Actor
    at: datetime
    reason: str = ""
    answers: Mapping[str, Any] = field(default_factory=dict)
    change_set: UUID = field(default_factory=uuid4)


# Called with (model admin, request, record or None, confirmation); returns the sentence to show, or a whole response.
Deed = Callable[[Any, HttpRequest, Any, Confirmation], str | HttpResponse | None]
Effect = str | Callable[[Any], str]


@dataclass(frozen=True, slots=True)
class ConfirmedAction:
    """What was declared about an action."""

    deed: Deed
    description: str
    permission: str
    asks_reason: bool
    form: type[forms.Form] | None
    initial: Callable[[Any], Mapping[str, Any]] | None
    effect: Effect

    def effect_on(self, record: Any) -> str:
        return self.effect if isinstance(self.effect, str) else self.effect(record)


def confirmed_action(
    *,
    description: str,
    permission: str,
    effect: Effect,
    asks_reason: bool = True,
    form: type[forms.Form] | None = None,
    initial: Callable[[Any], Mapping[str, Any]] | None = None,
    icon: str | None = None,
    variant: ActionVariant = ActionVariant.DEFAULT,
    attrs: Mapping[str, str] | None = None,
) -> Callable[[Deed], Callable[..., HttpResponse]]:
    """Makes an admin method an action that asks first; it may stand in any of unfold's lists of actions.

    The method is `def retry(self, request, record, confirmation) -> str`: it makes one call and returns the sentence
    that reports it. In `actions_row` and `actions_detail` the record is the one of the page; in `actions` (a
    selection) it is called once for each record, and what is refused for one does not hold back the others; in
    `actions_list` the record is None. `effect` is a sentence, or makes one from the record. `permission` is
    `app.codename`, checked whenever the action is asked for. `form` adds fields, which arrive in
    `confirmation.answers`; `initial` fills them from the record.
    """

    def declare(deed: Deed) -> Callable[..., HttpResponse]:
        declared = ConfirmedAction(deed, description, permission, asks_reason, form, initial, effect)

        @wraps(deed)
        def answer(
            model_admin: admin.ModelAdmin, request: HttpRequest, selection: Any = None, object_id: str | None = None
        ) -> HttpResponse:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            if selection is not None:
                return _answer_for_selection(declared, model_admin, request, selection)
            return _answer_for_one(declared, model_admin, request, object_id)

        vars(answer).update(
            confirmed_action=declared,
            required_permission=permission,
            short_description=description,
            attrs=dict(attrs or {}),
            icon=icon,
            variant=variant,
            original_function_name=deed.__name__,
        )
        return answer

    return declare


# Called with (model admin, request, record); gives the page, whichever step it is at.
Pages = Callable[[Any, HttpRequest, Any], HttpResponse]


def paged_action(
    *,
    description: str,
    permission: str,
    effect: Effect,
    icon: str | None = None,
    attrs: Mapping[str, str] | None = None,
) -> Callable[[Pages], Callable[..., HttpResponse]]:
    """Makes an admin method an action on one record with pages of its own, such as a wizard; for `actions_detail`.

    It is offered like a confirmed one, with its effect, to those with the permission, and asks by itself before it
    acts: GET changes nothing.
    """

    def declare(pages: Pages) -> Callable[..., HttpResponse]:
        declared = ConfirmedAction(
            _never, description, permission, asks_reason=False, form=None, initial=None, effect=effect
        )

        @wraps(pages)
        def answer(model_admin: admin.ModelAdmin, request: HttpRequest, object_id: str) -> HttpResponse:
            if not request.user.has_perm(permission):
                raise PermissionDenied
            if request.method not in ("GET", "HEAD", "POST"):
                return HttpResponseNotAllowed(["GET", "POST"])
            return pages(model_admin, request, _find(model_admin, request, object_id))

        vars(answer).update(
            confirmed_action=declared,
            required_permission=permission,
            short_description=description,
            attrs=dict(attrs or {}),
            icon=icon,
            variant=ActionVariant.DEFAULT,
            original_function_name=pages.__name__,
        )
        return answer

    return declare


def _never(model_admin: Any, request: HttpRequest, record: Any, confirmation: Confirmation) -> None:
    raise NotImplementedError("An action with pages of its own acts on them.")


def _answer_for_one(
    declared: ConfirmedAction, model_admin: admin.ModelAdmin, request: HttpRequest, object_id: str | None
) -> HttpResponse:
    if request.method not in ("GET", "HEAD", "POST"):
        return HttpResponseNotAllowed(["GET", "POST"])
    record = None if object_id is None else _find(model_admin, request, object_id)
    page = ConfirmationPage(declared, model_admin, request, record)
    try:
        if request.method != "POST" or not page.is_answered():
            return page.response()
        outcome = declared.deed(model_admin, request, record, _confirmation(page, request))
    except PaymentsiteError as refusal:
        return page.refused(refusal)
    if isinstance(outcome, HttpResponse):
        return outcome
    messages.success(request, outcome or f"{declared.description}: done.")
    return HttpResponseRedirect(back_address(model_admin, request, record))


def _answer_for_selection(
    declared: ConfirmedAction, model_admin: admin.ModelAdmin, request: HttpRequest, selection: QuerySet[Any]
) -> HttpResponse:
    records = list(selection[: SELECTION_LIMIT + 1])
    if len(records) > SELECTION_LIMIT:
        messages.error(request, f"At most {SELECTION_LIMIT:,} records at once: narrow the list down with its filters.")
        return HttpResponseRedirect(request.get_full_path())
    page = ConfirmationPage(declared, model_admin, request, records=records)
    # Django asks by POST here already; only a POST that comes from the confirmation page acts.
    try:
        if not page.is_answered():
            return page.response()
    except PaymentsiteError as refusal:
        return page.refused(refusal)
    _act_on_each(declared, model_admin, request, records, _confirmation(page, request))
    return HttpResponseRedirect(request.get_full_path())


def _act_on_each(
    declared: ConfirmedAction,
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    records: list[Model],
    confirmation: Confirmation,
) -> None:
    done = 0
    refusals: dict[str, list[str]] = {}
    for record in records:
        try:
            declared.deed(model_admin, request, record, confirmation)
        except PaymentsiteError as refusal:
            refusals.setdefault(refusal.detail, []).append(str(record))
        else:
            done += 1
    if done:
        messages.success(request, f"{declared.description}: {done:,} of {len(records):,} done.")
    for detail, refused in refusals.items():
        shown = ", ".join(refused[:5]) + (f" and {len(refused) - 5:,} more" if len(refused) > 5 else "")
        messages.error(request, f"{detail} Nothing was changed for {shown}.")


def _confirmation(page: ConfirmationPage, request: HttpRequest) -> Confirmation:
    return Confirmation(actor=Actor.staff(request.user), at=timezone.now(), reason=page.reason, answers=page.answers)


def _find(model_admin: admin.ModelAdmin, request: HttpRequest, object_id: str) -> Model:
    record = model_admin.get_object(request, unquote(object_id))
    if record is None:
        raise Http404(f"There is no {model_admin.opts.verbose_name} {object_id}.")
    return record
