"""The bodies of requests about accounts."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from accounts.operations import AccountDetails
from accounts.states import Frequency, Method
from invoices.api.fields import Body, Flag, Text, Whole

LARGEST_ID = 2**63 - 1
# Which field of the account each member of the body fills.
FIELDS = {
    "name": "name",
    "branchName": "branch_name",
    "paymentMethod": "payment_method",
    "bcolUserId": "prepaid_user_id",
    "bcolAccountNumber": "prepaid_account",
    "billable": "billable",
    "eftEnabled": "eft_enabled",
    "journalGlId": "journal_gl_id",
    "statementFrequency": "statement_frequency",
    "statementNotificationEnabled": "statement_notification_enabled",
}
MEMBERS = {field: member for member, field in FIELDS.items()} | {"journal_gl": "journalGlId"}


class AccountBody(Body):
    """A new account."""

    accountNumber = Text(max_length=50)
    name = Text(max_length=250)
    paymentMethod = serializers.ChoiceField(
        choices=[method.value for method in Method if method not in (Method.INTERNAL, Method.CC)],
        help_text="How it pays unless an invoice says otherwise.",
    )
    branchName = Text(max_length=250, required=False)
    bcolUserId = Text(max_length=50, required=False, help_text="Who draws from the prepaid account.")
    bcolAccountNumber = Text(max_length=50, required=False, help_text="The prepaid account.")
    billable = Flag(default=True, help_text="false: its vouchers are settled outside; needs the scope accounts:terms.")
    eftEnabled = Flag(help_text="Needed before it can pay by EFT; needs the scope accounts:terms.")
    journalGlId = Whole(
        min_value=1,
        max_value=LARGEST_ID,
        required=False,
        allow_null=True,
        help_text="The general ledger code of a billable account that pays by EJV; needs the scope accounts:terms.",
    )
    statementFrequency = serializers.ChoiceField(
        choices=[frequency.value for frequency in Frequency],
        required=False,
        allow_null=True,
        help_text="That of the method when left out.",
    )
    statementNotificationEnabled = Flag()


def details_of(asked: dict[str, Any]) -> AccountDetails:
    """What is agreed with the customer."""
    return AccountDetails(**{field: asked[member] for member, field in FIELDS.items() if member in asked})


def member_of(field: str) -> str:
    """The member of the body that fills a field of the account."""
    return MEMBERS.get(field, field)
