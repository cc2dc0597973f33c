"""The answers about accounts in the words of OpenAPI."""

from __future__ import annotations

from rest_framework import serializers

from accounts.states import LockKind
from invoices.api.schemas import Schema, cad, maybe, moment, one_of


class AccountLinks(Schema):
    self = serializers.CharField()
    credits = serializers.CharField()


class AccountAnswer(Schema):
    """Who pays, and what is agreed with them."""

    accountNumber = serializers.CharField()
    name = serializers.CharField()
    branchName = serializers.CharField()
    paymentMethod = serializers.CharField(help_text="How it pays unless an invoice says otherwise.")
    bcolUserId = serializers.CharField()
    bcolAccountNumber = serializers.CharField()
    billable = serializers.BooleanField()
    eftEnabled = serializers.BooleanField()
    journalRestricted = serializers.BooleanField()
    statementFrequency = serializers.CharField()
    padActivatesAt = maybe("No debit is drawn before.")
    createdAt = moment()
    closedAt = maybe()
    links = AccountLinks()


class LockAnswer(Schema):
    kind = one_of(LockKind)
    cause = serializers.CharField()
    invoiceId = serializers.IntegerField(allow_null=True)
    lockedAt = moment()


class GateAnswer(Schema):
    """Why the account may not order by a method now."""

    code = serializers.CharField(help_text="Stable, for programs.")
    message = serializers.CharField()
    nextStep = serializers.CharField(help_text="What opens it.")


class AccountMethodAnswer(Schema):
    paymentMethod = serializers.CharField()
    title = serializers.CharField()
    mayOrder = serializers.BooleanField()
    gates = GateAnswer(many=True)


class MethodBalance(Schema):
    paymentMethod = serializers.CharField()
    owing = cad()
    overdue = cad()


class Balances(Schema):
    currency = serializers.CharField()
    owing = cad("On all open invoices.")
    overdue = cad("Of that, past its due date.")
    credit = cad("What stands to the account's credit.")
    byMethod = MethodBalance(many=True)


class WholeAccountAnswer(AccountAnswer):
    """An account with its state."""

    locks = LockAnswer(many=True)
    methods = AccountMethodAnswer(many=True)
    balances = Balances()
