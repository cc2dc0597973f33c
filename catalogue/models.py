"""What is charged (products, filing types, fees, taxes) and where it is booked (GL codes and their links)."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import uuid4

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateRangeField, RangeOperators
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, Q, Value

from catalogue.glcodes import SEGMENTS, GLCodeInvalid, check_segments, dotted
from catalogue.paymentmethods import PAYMENT_METHODS
from catalogue.querysets import (
    FeeCodeQuerySet,
    FeeScheduleQuerySet,
    FilingTypeQuerySet,
    GLCodeQuerySet,
    GLLinkQuerySet,
    ProductQuerySet,
    TaxRateQuerySet,
)
from kernel.fields import MoneyField

PERMISSIONS = ("view", "add", "change")
LONGEST_DESCRIPTION = 200


def never_two_at_once(name: str, *fields: str) -> ExclusionConstraint:
    """No two rows that are alike in `fields` are in force on the same day."""
    days = Func(F("starts_on"), F("ends_on"), Value("[]"), function="daterange", output_field=DateRangeField())
    return ExclusionConstraint(
        name=name,
        expressions=[*((field, RangeOperators.EQUAL) for field in fields), (days, RangeOperators.OVERLAPS)],
        violation_error_message="Another one is in force on some of these days: open a new version of it instead.",
    )


def ends_after_it_starts(name: str) -> models.CheckConstraint:
    return models.CheckConstraint(
        name=name,
        condition=Q(ends_on__isnull=True) | Q(ends_on__gte=F("starts_on")),
        violation_error_message="The last day should not be before the first.",
    )


class Dated(models.Model):
    """Holds from `starts_on` to `ends_on`, both days included; without an end, until further notice."""

    starts_on = models.DateField("in force from")
    ends_on = models.DateField(
        "until", null=True, blank=True, help_text="The last day, included. Empty: until further notice."
    )

    class Meta:
        abstract = True

    def clean(self) -> None:
        super().clean()
        if self.starts_on and self.ends_on and self.ends_on < self.starts_on:
            raise ValidationError({"ends_on": "The last day should not be before the first."})

    def is_in_force(self, on: date) -> bool:
        return self.starts_on <= on and (self.ends_on is None or on <= self.ends_on)

    def has_begun(self, on: date) -> bool:
        return self.starts_on <= on


class Product(models.Model):
    """A line of business whose filings are charged, and how they may be paid and refunded."""

    code = models.CharField(max_length=10, primary_key=True)
    description = models.CharField(max_length=LONGEST_DESCRIPTION)
    line = models.CharField("product line", max_length=20, blank=True, default="", db_default="")
    prepaid_code_full_fee = models.CharField(
        max_length=10, blank=True, default="", db_default="", help_text="The prepaid mainframe's code, full fee."
    )
    prepaid_code_partial_fee = models.CharField(max_length=10, blank=True, default="", db_default="")
    prepaid_code_no_fee = models.CharField(max_length=10, blank=True, default="", db_default="")
    prepaid_code_staff = models.CharField(max_length=10, blank=True, default="", db_default="")
    has_partner_disbursements = models.BooleanField(
        default=False, db_default=False, help_text="On: what is collected is paid on to a partner."
    )
    payment_methods = ArrayField(
        models.CharField(max_length=15, choices=[(code, code) for code in PAYMENT_METHODS]),
        default=list,
        blank=True,
        help_text="How an order of this product may be paid.",
    )
    refund_approval = models.BooleanField(
        default=False, db_default=False, help_text="On: a refund needs a second person."
    )
    refund_allowed = models.BooleanField(default=True, db_default=True)
    comments = models.TextField(blank=True, default="", db_default="")

    objects = ProductQuerySet.as_manager()

    class Meta:
        db_table = "product"
        default_permissions = PERMISSIONS
        permissions = [("import_catalogue", "Can import tables of the catalogue")]
        constraints = [
            models.CheckConstraint(name="product_code_written", condition=Q(code__regex=r"^[A-Z0-9_]+$")),
            models.CheckConstraint(
                name="product_methods_known", condition=Q(payment_methods__contained_by=list(PAYMENT_METHODS))
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.description}"


class FilingType(models.Model):
    """Something that can be filed or ordered."""

    code = models.CharField(max_length=10, primary_key=True)
    description = models.CharField(max_length=LONGEST_DESCRIPTION)

    objects = FilingTypeQuerySet.as_manager()

    class Meta:
        db_table = "filing_type"
        default_permissions = PERMISSIONS
        constraints = [
            models.CheckConstraint(name="filing_type_code_written", condition=Q(code__regex=r"^[A-Z0-9_]+$"))
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.description}"


class FeeCode(models.Model):
    """A named amount in CAD; the name's beginning says what for: EN filing, FUT later effect, PRI priority, TRF us."""

    code = models.CharField(max_length=10, primary_key=True)
    amount = MoneyField()

    objects = FeeCodeQuerySet.as_manager()

    class Meta:
        db_table = "fee_code"
        default_permissions = PERMISSIONS
        constraints = [
            models.CheckConstraint(name="fee_code_written", condition=Q(code__regex=r"^[A-Z0-9_]+$")),
            models.CheckConstraint(
                name="fee_code_not_negative",
                condition=Q(amount__gte=0),
                violation_error_message="An amount is zero or more.",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} ({self.amount})"


def _linked_gl(name: str, title: str, help_text: str) -> models.ForeignKey[Any, Any]:
    return models.ForeignKey(
        "self",
        verbose_name=title,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name=f"{name}_of",
        help_text=help_text,
    )


class GLCode(Dated):
    """Where money is booked in the general ledger, and where what belongs to it is."""

    name = models.CharField(max_length=250)
    client = models.CharField(max_length=3)
    responsibility_centre = models.CharField(max_length=5)
    service_line = models.CharField(max_length=5)
    stob = models.CharField("STOB", max_length=4)
    project_code = models.CharField(max_length=7)
    stop_journal = models.BooleanField(
        default=False, db_default=False, help_text="On: journal vouchers of this code are held back."
    )
    comments = models.TextField(blank=True, default="", db_default="")
    service_fee_gl = _linked_gl("service_fee_gl", "service fee", "Where the service fee is booked.")
    disbursement_gl = _linked_gl("disbursement_gl", "partner's share", "Where the partner's share goes.")
    statutory_gst_gl = _linked_gl(
        "statutory_gst_gl", "GST on the statutory fees", "Where GST on the statutory fees is booked."
    )
    service_gst_gl = _linked_gl("service_gst_gl", "GST on the service fee", "Where GST on the service fee is booked.")

    objects = GLCodeQuerySet.as_manager()

    class Meta:
        db_table = "gl_code"
        verbose_name = "GL code"
        default_permissions = PERMISSIONS
        constraints = [
            *(
                models.CheckConstraint(
                    name=f"gl_code_{segment.field}_fits",
                    condition=Q(**{f"{segment.field}__regex": segment.pattern}),
                    violation_error_message=f"{segment.field.replace('_', ' ')} should be {segment.sentence}.",
                )
                for segment in SEGMENTS
            ),
            ends_after_it_starts("gl_code_ends_after_it_starts"),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.dotted})"

    @property
    def segments(self) -> tuple[str, str, str, str, str]:
        return (self.client, self.responsibility_centre, self.service_line, self.stob, self.project_code)

    @property
    def dotted(self) -> str:
        return dotted(*self.segments)

    def clean(self) -> None:
        super().clean()
        if wrong := check_segments(*self.segments):
            raise ValidationError({error.field: error.message for error in wrong})

    def require_usable(self) -> None:
        """Raises GLCodeInvalid, naming this code and every segment that the ledger would send back."""
        if wrong := check_segments(*self.segments):
            sentences = " ".join(error.message for error in wrong)
            which = f"GL code {self.pk} “{self.name}”" if self.pk else f"GL code “{self.name}”"
            raise GLCodeInvalid(f"{which} cannot be used. {sentences}", errors=tuple(wrong), gl_code=self.pk)


def _fee(name: str, help_text: str = "") -> models.ForeignKey[Any, Any]:
    return models.ForeignKey(
        FeeCode, on_delete=models.PROTECT, null=True, blank=True, related_name=f"{name}_of", help_text=help_text
    )


class FeeSchedule(Dated):
    """What one filing type of one product costs in a range of days. A price changes by a new version from a date."""

    filing_type = models.ForeignKey(FilingType, on_delete=models.PROTECT, related_name="fee_schedules")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="fee_schedules")
    fee_code = models.ForeignKey(FeeCode, on_delete=models.PROTECT, related_name="fee_code_of")
    future_effective_fee_code = _fee("future_effective_fee_code", "Added when the filing takes effect later.")
    priority_fee_code = _fee("priority_fee_code", "Added when the filing is asked for with priority.")
    service_fee_code = _fee("service_fee_code", "Ours, once an invoice.")
    variable = models.BooleanField(
        default=False, db_default=False, help_text="On: whoever orders says the amount of the filing fee."
    )
    on_price_list = models.BooleanField(default=True, db_default=True)
    statutory_gst = models.BooleanField("GST on the statutory fees", default=False, db_default=False)
    service_gst = models.BooleanField("GST on the service fee", default=False, db_default=False)
    comments = models.TextField(blank=True, default="", db_default="")

    objects = FeeScheduleQuerySet.as_manager()

    class Meta:
        db_table = "fee_schedule"
        default_permissions = PERMISSIONS
        permissions = [("open_new_version", "Can open a new version of a price, a GL link or a tax rate")]
        constraints = [
            ends_after_it_starts("fee_schedule_ends_after_it_starts"),
            never_two_at_once("fee_schedule_one_at_a_time", "product", "filing_type"),
        ]

    def __str__(self) -> str:
        return f"{self.product_id} {self.filing_type_id} from {self.starts_on}"


class GLLink(Dated):
    """Where the fees of a schedule are booked in a range of days: one GL code at a time."""

    fee_schedule = models.ForeignKey(FeeSchedule, on_delete=models.PROTECT, related_name="gl_links")
    gl_code = models.ForeignKey(GLCode, on_delete=models.PROTECT, related_name="links", verbose_name="GL code")

    objects = GLLinkQuerySet.as_manager()

    class Meta:
        db_table = "gl_link"
        verbose_name = "GL link"
        default_permissions = PERMISSIONS
        constraints = [
            ends_after_it_starts("gl_link_ends_after_it_starts"),
            never_two_at_once("gl_link_one_at_a_time", "fee_schedule"),
        ]

    def __str__(self) -> str:
        return f"Fee schedule {self.fee_schedule_id} to GL code {self.gl_code_id} from {self.starts_on}"


class TaxRate(Dated):
    """The rate of a tax in a range of days: 0.0500 is five per cent."""

    tax_type = models.CharField(max_length=10, choices=[("GST", "GST")], default="GST")
    rate = models.DecimalField(max_digits=6, decimal_places=4, help_text="0.0500 is five per cent.")

    objects = TaxRateQuerySet.as_manager()

    class Meta:
        db_table = "tax_rate"
        default_permissions = PERMISSIONS
        constraints = [
            models.CheckConstraint(
                name="tax_rate_below_one",
                condition=Q(rate__gte=0, rate__lt=1),
                violation_error_message="A rate is a share of one: 0.0500 for five per cent.",
            ),
            ends_after_it_starts("tax_rate_ends_after_it_starts"),
            never_two_at_once("tax_rate_one_at_a_time", "tax_type"),
        ]

    def __str__(self) -> str:
        return f"{self.tax_type} {self.rate} from {self.starts_on}"


class UploadedTable(models.Model):
    """A file that somebody wants to import, kept between its preview and the confirmation."""

    # Not guessed: whoever has it may confirm the import.
    id = models.UUIDField(primary_key=True, default=uuid4)
    content = models.BinaryField()
    uploaded_at = models.DateTimeField()

    class Meta:
        db_table = "catalogue_upload"
        default_permissions = ()
