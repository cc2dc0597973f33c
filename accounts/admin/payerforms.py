"""What staff fill in about an account."""

from __future__ import annotations

from typing import Any

from django import forms

from accounts.models import AccountFee, PaymentAccount
from accounts.models.identities import BANK_NUMBER, BRANCH_NUMBER
from accounts.operations import AccountDetails
from accounts.operations.identities import ACCOUNT_NUMBER
from accounts.states import Frequency, LockKind, Method, choices


def chosen_from(model: Any, field: str, **options: Any) -> Any:
    """A form field that offers the rows which the foreign key `field` of `model` may point at."""
    return model._meta.get_field(field).formfield(**options)


class AccountForm(forms.Form):
    """What is agreed with a customer, from the name to the statements."""

    name = forms.CharField(max_length=250)
    branch_name = forms.CharField(max_length=250, required=False)
    payment_method = forms.ChoiceField(
        choices=choices(Method), help_text="Unless an invoice says otherwise. Changing it changes the statements too."
    )
    statement_frequency = forms.ChoiceField(
        required=False,
        choices=[("", "As usual for the method: monthly for EFT, else weekly"), *choices(Frequency)],
    )
    statement_notification_enabled = forms.BooleanField(required=False, label="Tell the customer of new statements")
    eft_enabled = forms.BooleanField(required=False, label="May pay by EFT")
    journal_restricted = forms.BooleanField(
        required=False, label="No new journal vouchers", help_text="Refuses new invoices that would be paid by EJV."
    )
    journal_gl = chosen_from(PaymentAccount, "journal_gl", required=False, label="Own general ledger code")
    billable = forms.BooleanField(
        required=False,
        initial=True,
        label="Billed by us",
        help_text="Off for an internal organisation whose journal vouchers are settled outside.",
    )
    prepaid_user_id = forms.CharField(max_length=50, required=False, label="Prepaid user")
    prepaid_account = forms.CharField(max_length=50, required=False, label="Prepaid account")

    def clean(self) -> dict[str, Any]:
        """The answers, and all of them together as `details`."""
        answers = super().clean() or {}
        fields = {name: answers[name] for name in answers if name not in ("journal_gl", "account_number")}
        if not self.errors:
            gl_code = answers.get("journal_gl")
            fields["statement_frequency"] = fields["statement_frequency"] or None
            answers["details"] = AccountDetails(**fields, journal_gl_id=None if gl_code is None else gl_code.pk)
        return answers


class NewAccountForm(AccountForm):
    account_number = forms.CharField(max_length=50, help_text="The number that the customer and partners know it by.")
    field_order = ["account_number"]


class MethodForm(forms.Form):
    method = forms.ChoiceField(choices=choices(Method), label="Pays by")


class LockForm(forms.Form):
    kind = forms.ChoiceField(choices=choices(LockKind), label="Because of")
    cause = forms.CharField(
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What happened, as staff and the customer may read it.",
    )


class LiftForm(forms.Form):
    kind = forms.ChoiceField(choices=choices(LockKind), label="Which lock")


class BankForm(forms.Form):
    bank_number = forms.RegexField(
        BANK_NUMBER, label="Bank", help_text="3 or 4 digits.", error_messages={"invalid": "3 or 4 digits."}
    )
    bank_branch_number = forms.RegexField(
        BRANCH_NUMBER, label="Branch", help_text="5 digits.", error_messages={"invalid": "5 digits."}
    )
    bank_account_number = forms.RegexField(
        ACCOUNT_NUMBER,
        label="Account",
        help_text="5 to 17 digits. Kept encrypted; afterwards only the last three are shown.",
        error_messages={"invalid": "5 to 17 digits."},
        # What was typed is not sent back with a mistake in another field.
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "inputmode": "numeric"}),
    )


class TermsForm(forms.Form):
    accepted_by = forms.CharField(
        max_length=150, label="Accepted by", help_text="The person who accepted the terms for the customer."
    )


class FeeForm(forms.Form):
    product = chosen_from(AccountFee, "product")
    applies_filing_fees = forms.BooleanField(
        required=False, initial=True, label="Filing fees are charged", help_text="Off: only the service fee is."
    )
    service_fee_code = chosen_from(
        AccountFee, "service_fee_code", required=False, help_text="Empty: the product's own service fee."
    )


class FeeRemovalForm(forms.Form):
    product = chosen_from(AccountFee, "product")


class RevealForm(forms.Form):
    method = forms.ChoiceField(choices=choices(Method), label="Bank details for")
