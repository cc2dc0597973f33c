"""What staff fill in: a record with the reason of its change, and the next version of a price, a GL link or a rate."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.utils import timezone
from django.utils.text import capfirst
from import_export.forms import ConfirmImportForm
from unfold.contrib.import_export.forms import ImportForm
from unfold.widgets import UnfoldAdminTextareaWidget

from catalogue.models import FeeCode, FeeSchedule, GLCode
from catalogue.operations.records import PRICE_FIELDS, check_record
from catalogue.paymentmethods import METHOD_WORDS, PAYMENT_METHODS
from kernel.calendar import business_date
from kernel.errors import PaymentsiteError

LARGEST_UPLOAD_BYTES = 2 * 1024 * 1024
REASON_LONGEST = 1000


def reason_field() -> forms.CharField:
    return forms.CharField(
        max_length=REASON_LONGEST,
        help_text="Kept in the audit. Say what you found and, if there is one, the ticket.",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        error_messages={"required": "Say why: the reason is kept in the audit."},
    )


class RecordForm(forms.ModelForm):
    """A record of the catalogue, checked by the same rules that its operation holds."""

    reason = reason_field()

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        if self.errors:
            return
        kind = type(self.instance)
        stored = None if self.instance._state.adding else kind._default_manager.filter(pk=self.instance.pk).first()
        try:
            check_record(self.instance, stored, on=business_date(timezone.now()))
        except PaymentsiteError as refusal:
            for field, message in _problems(refusal):
                self.add_error(field if field in self.fields else None, message)


class ProductForm(RecordForm):
    payment_methods = forms.MultipleChoiceField(
        choices=[(code, capfirst(METHOD_WORDS.get(code, code))) for code in PAYMENT_METHODS],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="How an order of this product may be paid.",
    )


class VersionForm(forms.Form):
    """From when on; a day that has passed has to be asked for."""

    starts_on = forms.DateField(
        label="From",
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="The first day of the new version. The present one ends the day before.",
    )
    past_allowed = forms.BooleanField(
        label="Also from a day that has passed",
        required=False,
        help_text="Only to put right what was wrong: orders since then were charged by the version of that time.",
    )


class NewPriceForm(VersionForm):
    fee_code = forms.ModelChoiceField(FeeCode.objects.order_by("code"), label="Filing fee")
    priority_fee_code = forms.ModelChoiceField(
        FeeCode.objects.order_by("code"), label="Priority fee", required=False, empty_label="None"
    )
    future_effective_fee_code = forms.ModelChoiceField(
        FeeCode.objects.order_by("code"), label="Future-effective fee", required=False, empty_label="None"
    )
    service_fee_code = forms.ModelChoiceField(
        FeeCode.objects.order_by("code"), label="Service fee", required=False, empty_label="None"
    )
    variable = forms.BooleanField(
        label="Variable", required=False, help_text="On: whoever orders says the amount of the filing fee."
    )
    statutory_gst = forms.BooleanField(label="GST on the statutory fees", required=False)
    service_gst = forms.BooleanField(label="GST on the service fee", required=False)
    field_order = ("starts_on", *PRICE_FIELDS)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        # The operation names a fee by its code.
        return {name: value.code if isinstance(value, FeeCode) else value for name, value in cleaned.items()}


class NewLinkForm(VersionForm):
    gl_code = forms.ModelChoiceField(GLCode.objects.order_by("name"), label="Book to")
    field_order = ("starts_on", "gl_code")


class ReplacementForm(NewLinkForm):
    gl_code = forms.ModelChoiceField(GLCode.objects.order_by("name"), label="Book to this one instead")


class NewRateForm(VersionForm):
    rate = forms.DecimalField(
        max_digits=6, decimal_places=4, min_value=0, help_text="A share of one: 0.0500 is five per cent."
    )
    field_order = ("starts_on", "rate")


class CatalogueImportForm(ImportForm):
    """The file and why it is imported."""

    reason = reason_field()

    def clean_import_file(self) -> Any:
        given = self.cleaned_data["import_file"]
        if given.size > LARGEST_UPLOAD_BYTES:
            raise forms.ValidationError(f"A file of at most {LARGEST_UPLOAD_BYTES // 1024 // 1024} MB, please.")
        return given


class CatalogueConfirmForm(ConfirmImportForm):
    reason = forms.CharField(widget=forms.HiddenInput(), max_length=REASON_LONGEST)
    seen = forms.CharField(widget=forms.HiddenInput())


def price_now(schedule: FeeSchedule) -> dict[str, Any]:
    """The form of the next price as it stands at first: everything as it is today."""
    return {name: getattr(schedule, FeeSchedule._meta.get_field(name).attname) for name in PRICE_FIELDS}  # type: ignore[union-attr]


def _problems(refusal: PaymentsiteError) -> list[tuple[str, str]]:
    if not refusal.errors:
        return [(NON_FIELD_ERRORS, f"{refusal.detail} {refusal.next_step}")]
    return [(error.field or NON_FIELD_ERRORS, error.message) for error in refusal.errors]
