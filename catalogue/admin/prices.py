"""Fee codes and fee schedules: amounts, and which filing costs which of them from when on."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from catalogue.admin.filters import InForceFilter, ProductFilter
from catalogue.admin.records import CatalogueAdmin, dated_state, days_in_force
from catalogue.admin.versions import CURRENCY, NOTHING_YET, Comparison, preview_page, rows_of, was_seen
from catalogue.exchange import FeeCodeResource, FeeScheduleResource
from catalogue.forms import NewPriceForm, price_now
from catalogue.models import FeeCode, FeeSchedule
from catalogue.operations import new_schedule_version
from catalogue.operations.versions import check_start
from catalogue.previews import EXAMPLE_FEE, price_preview
from kernel.adminsite import Confirmation, confirmed_action, money
from kernel.calendar import business_date


@admin.register(FeeCode)
class FeeCodeAdmin(CatalogueAdmin):
    resource_classes = (FeeCodeResource,)
    naming = ("code",)
    list_display = ("code", "amount_shown")
    search_fields = ("code", "amount")
    search_help_text = "Code or amount"
    ordering = ("code",)
    fieldsets = ((None, {"fields": ("code", "amount")}),)
    intro = (
        "Named amounts in CAD. EN… are filing fees, PRI… priority fees, FUT… fees for what takes effect later, TRF… "
        "our service fees. An amount that has been charged stays as it is: for a new price, add a code and open a new "
        "version of the fee schedules that use it."
    )
    empty_text = "No amount yet. Add a fee code, then name it in a fee schedule."

    @display(description="amount", ordering="amount")
    def amount_shown(self, fee: FeeCode) -> SafeString | str:
        return money(fee.amount, CURRENCY)


@admin.register(FeeSchedule)
class FeeScheduleAdmin(CatalogueAdmin):
    resource_classes = (FeeScheduleResource,)
    naming = ("product", "filing_type")
    list_display = ("price", "filing_fee", "other_fees", "gst", "days", "state")
    list_filter = (InForceFilter, ProductFilter, "variable", "on_price_list")
    search_fields = ("product__code", "filing_type__code", "filing_type__description", "fee_code__code")
    search_help_text = "Product, filing type or fee code"
    ordering = ("product", "filing_type", "-starts_on")
    autocomplete_fields = (
        "filing_type",
        "product",
        "fee_code",
        "priority_fee_code",
        "future_effective_fee_code",
        "service_fee_code",
    )
    actions_detail = ("new_version",)
    state, days = dated_state, days_in_force
    fieldsets = (
        (None, {"fields": (("product", "filing_type"), ("starts_on", "ends_on"))}),
        (
            "Fees",
            {
                "description": "Once in force, fees and taxes change by “New version from a date” only.",
                "fields": (
                    ("fee_code", "variable"),
                    "priority_fee_code",
                    "future_effective_fee_code",
                    "service_fee_code",
                ),
            },
        ),
        ("Taxes and list", {"fields": (("statutory_gst", "service_gst"), "on_price_list", "comments")}),
    )
    intro = (
        "What each filing of each product costs, and from when to when. To change a price, open it and choose “New "
        "version from a date”: the present one is closed the day before, and you see what an order costs then."
    )
    empty_text = "Nothing has a price yet. Add products, filing types and fee codes first, then a fee schedule."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).with_fees().select_related("product")

    @display(description="price", ordering="product")
    def price(self, schedule: FeeSchedule) -> SafeString:
        code = f"{schedule.product_id} {schedule.filing_type_id}"
        return format_html('{}<br><span class="ps-note">{}</span>', code, schedule.filing_type.description)

    @display(description="filing fee", ordering="fee_code__amount")
    def filing_fee(self, schedule: FeeSchedule) -> SafeString | str:
        return "Variable" if schedule.variable else money(schedule.fee_code.amount, CURRENCY)

    @display(description="other fees")
    def other_fees(self, schedule: FeeSchedule) -> SafeString | str:
        named = (
            ("priority", schedule.priority_fee_code),
            ("future-effective", schedule.future_effective_fee_code),
            ("service", schedule.service_fee_code),
        )
        texts = [f"{fee.amount:,.2f} {name}" for name, fee in named if fee is not None]
        return format_html('<span class="ps-wrap">{}</span>', ", ".join(texts)) if texts else "–"

    @display(description="GST on")
    def gst(self, schedule: FeeSchedule) -> str:
        return taxed_parts(statutory=schedule.statutory_gst, ours=schedule.service_gst)

    @confirmed_action(
        description="New version from a date",
        permission="catalogue.open_new_version",
        form=NewPriceForm,
        initial=price_now,
        icon="event_upcoming",
        effect=lambda schedule: (
            f"The price of {schedule.product_id} {schedule.filing_type_id} ends the day before the date below, and the "
            "next begins on it, booked to the same GL code. The next page shows what an order costs before and after; "
            "nothing changes until you confirm there."
        ),
    )
    def new_version(
        self, request: HttpRequest, schedule: FeeSchedule, confirmation: Confirmation
    ) -> str | HttpResponse:
        answers = dict(confirmation.answers)
        if not was_seen(request, answers):
            return preview_page(self, request, schedule, answers, _compared(schedule, answers, confirmation))
        version = new_schedule_version(
            schedule.pk, **answers, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at
        )
        return f"{version.closed} ends on {version.closed.ends_on}; the next begins on {version.opened.starts_on}."


def taxed_parts(*, statutory: bool, ours: bool) -> str:
    """What of a price GST is added to, in words."""
    if statutory and ours:
        return "all fees"
    if statutory:
        return "statutory fees"
    return "service fee" if ours else "–"


def _compared(schedule: FeeSchedule, answers: dict[str, Any], confirmation: Confirmation) -> Comparison:
    starts_on = answers["starts_on"]
    check_start(schedule, starts_on, on=business_date(confirmation.at), past_allowed=answers["past_allowed"])
    changes = {name: value for name, value in answers.items() if name != "past_allowed"}
    preview = price_preview(schedule.pk, **changes)
    note = (
        "One filing with everything that it can be ordered with, by a customer whose account has no terms of its own."
    )
    if preview.is_example:
        note += f" The amount of a variable fee is the caller's: {EXAMPLE_FEE} stands for it here."
    return Comparison(
        f"From {starts_on} on, an order of {schedule.product_id} {schedule.filing_type_id} costs this. {NOTHING_YET}",
        rows_of(preview),
        note,
    )
