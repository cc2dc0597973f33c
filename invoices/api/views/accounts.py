"""Accounts: what is agreed, why one is locked, what it owes; and opening one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import AccountUnknown, accounts_of
from accounts.models import ApiKey, PaymentAccount
from accounts.operations import AccountKnown, add_account
from accounts.querysets import PaymentAccountQuerySet
from accounts.scopes import ACCOUNTS_READ, ACCOUNTS_TERMS, ACCOUNTS_WRITE
from invoices.api.accountanswers import account_answer, whole_account_answer
from invoices.api.accountbodies import AccountBody, details_of, member_of
from invoices.api.accountschemas import AccountAnswer, WholeAccountAnswer
from invoices.api.addresses import account_path
from invoices.api.callers import actor_of, key_of
from invoices.api.docs import posting, reading
from invoices.api.fields import read
from invoices.api.pages import ByCreation, page_of
from invoices.api.parameters import PAGE_PARAMETERS, NoParameters, read_parameters
from kernel.errors import Conflict, FieldError, Forbidden, Refused
from kernel.idempotency.protocol import idempotent

TAG = "accounts"


class AccountNumberTaken(Conflict):
    """There is an account of this number, which your client may not use."""

    code = "account-number-taken"
    title = "Account number taken"
    next_step = "Choose another number, or ask an administrator to let your client use the account."


class TermsNotForPartners(Forbidden):
    """These terms of an account are not for partners to agree."""

    code = "account-terms-not-for-partners"
    title = "Terms not for partners"
    next_step = "Leave out what errors names, or let finance open the account."


class AccountListView(GenericAPIView[PaymentAccount]):
    """The accounts that the client may use, and a new one."""

    required_scopes = {"GET": ACCOUNTS_READ, "POST": ACCOUNTS_WRITE}
    pagination_class = ByCreation
    serializer_class = AccountAnswer
    filter_backends = ()

    @reading("list_accounts", "Your accounts", AccountAnswer(many=True), tag=TAG)
    def get(self, request: Request) -> Response:
        read_parameters(NoParameters, request.query_params, also=PAGE_PARAMETERS)
        return page_of(ByCreation(), _reachable(key_of(request)), request, self, account_answer)

    @posting(
        "open_account",
        "Open an account",
        AccountBody,
        {
            201: (WholeAccountAnswer, "The account; your client may use it."),
            200: (WholeAccountAnswer, "The account was there already, with the same details."),
        },
        tag=TAG,
    )
    def post(self, request: Request) -> HttpResponse:
        at = timezone.now()
        return idempotent(request, lambda: self._open(request, at), at=at)

    def _open(self, request: Request, at: datetime) -> Response:
        asked = read(AccountBody, request.data)
        key = key_of(request)
        _require_terms_for_partners(key, asked)
        number = asked["accountNumber"]
        try:
            with _named_as_in_the_body():
                opened = add_account(
                    number, details_of(asked), actor=actor_of(request), reason="Opened by the API", at=at
                )
        except AccountKnown:
            _require_not_of_others(key, number)
            raise
        if not opened.is_new:
            _require_not_of_others(key, number)
        if opened.is_new and not key.client.all_accounts:
            key.client.accounts.add(opened.account)
        answer = Response(_answer(key, opened.account.account_number, at=at), status=201 if opened.is_new else 200)
        answer["Location"] = account_path(opened.account.account_number)
        return answer


class AccountView(APIView):
    """One account with its state."""

    required_scopes = ACCOUNTS_READ

    @reading(
        "get_account",
        "Get one account",
        WholeAccountAnswer,
        tag=TAG,
        description="With its locks and their causes, what it owes, and for each method whether it may order now.",
    )
    def get(self, request: Request, account_number: str) -> Response:
        read_parameters(NoParameters, request.query_params)
        return Response(_answer(key_of(request), account_number, at=timezone.now()))


def _require_terms_for_partners(key: ApiKey, asked: dict[str, Any]) -> None:
    """Raises TermsNotForPartners (403) for what finance agrees with the customer: to owe by transfer, from whose
    journal it is booked, and that nobody is asked for the money at all."""
    if ACCOUNTS_TERMS in key.scopes:
        return
    agreed = {
        "billable": not asked["billable"],
        "eftEnabled": asked["eftEnabled"],
        "journalGlId": asked.get("journalGlId") is not None,
    }
    message = f"This is agreed by finance, or by systems of our own, which have the scope {ACCOUNTS_TERMS}."
    errors = tuple(FieldError(name, TermsNotForPartners.code, message) for name, is_asked in agreed.items() if is_asked)
    if errors:
        raise TermsNotForPartners(message, errors=errors)


def _require_not_of_others(key: ApiKey, number: str) -> None:
    """Of an account that the client may not use, nothing is told but that its number is taken: not even whether the
    details are the same. Asked afterwards, so that two clients at once hear no more."""
    if not _reachable(key).filter(account_number=number).exists():
        raise AccountNumberTaken(errors=(FieldError("accountNumber", AccountNumberTaken.code, "Choose another."),))


def _reachable(key: ApiKey) -> PaymentAccountQuerySet:
    reachable = accounts_of(key)
    return PaymentAccount.objects.all() if reachable is None else reachable


def _answer(key: ApiKey, account_number: str, *, at: datetime) -> dict[str, object]:
    account = _reachable(key).filter(account_number=account_number).with_state().first()
    if account is None:
        raise AccountUnknown(f"There is no account {account_number}.", account_number=account_number)
    return whole_account_answer(account, at=at)


@contextmanager
def _named_as_in_the_body() -> Iterator[None]:
    try:
        yield
    except AccountKnown as known:
        for difference in known.context.get("difference", ()):
            difference["field"] = member_of(difference["field"])
        raise
    except Refused as refused:
        refused.errors = tuple(replace(error, field=member_of(error.field)) for error in refused.errors)
        raise
