"""GL codes, what is booked to them, and tax rates."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from catalogue.admin.filters import InForceFilter, LinkProductFilter
from catalogue.admin.records import CatalogueAdmin, dated_state, days_in_force
from catalogue.admin.versions import CURRENCY, NOTHING_YET, Comparison, preview_page, was_seen
from catalogue.exchange import GLCodeResource, GLLinkResource, TaxRateResource
from catalogue.forms import NewLinkForm, NewRateForm, ReplacementForm
from catalogue.models import GLCode, GLLink, TaxRate
from catalogue.operations import new_link_version, new_rate_version, replace_gl_code
from catalogue.operations.versions import check_start
from catalogue.quote import rounded_tax
from kernel.adminsite import Confirmation, badge, confirmed_action, money, record_link
from kernel.calendar import business_date

EXAMPLE = Decimal("100.00")


@admin.register(GLCode)
class GLCodeAdmin(CatalogueAdmin):
    resource_classes = (GLCodeResource,)
    list_display = ("name", "code_shown", "journal", "days", "state")
    list_filter = (InForceFilter, "stop_journal", "client")
    search_fields = ("name", "client", "responsibility_centre", "service_line", "stob", "project_code")
    search_help_text = "Name or segment"
    ordering = ("name",)
    autocomplete_fields = ("service_fee_gl", "disbursement_gl", "statutory_gst_gl", "service_gst_gl")
    actions_detail = ("replace",)
    state, days = dated_state, days_in_force
    fieldsets = (
        (None, {"fields": ("name", ("starts_on", "ends_on"))}),
        (
            "Segments",
            {
                "description": "Client 3, responsibility centre 5, service line 5, STOB 4, project 7 characters: "
                "digits and capital letters, the STOB digits only. Checked again whenever the code is used.",
                "fields": (("client", "responsibility_centre", "service_line"), ("stob", "project_code")),
            },
        ),
        ("Booked with it", {"fields": (*autocomplete_fields,)}),
        ("Journal vouchers", {"fields": ("stop_journal", "comments")}),
    )
    intro = (
        "Where money is booked. The segments of a code that has been booked to stay: for a new one, add a code and "
        "choose “Replace from a date” on the old one's page, which moves all its prices at once."
    )
    empty_text = "Nothing can be booked yet. Add a GL code, then link it to the prices that are booked to it."

    @display(description="code")
    def code_shown(self, gl_code: GLCode) -> SafeString:
        return format_html('<span class="ps-hash">{}</span>', gl_code.dotted)

    @display(description="journal", ordering="stop_journal")
    def journal(self, gl_code: GLCode) -> SafeString:
        return badge("Held back", "attention") if gl_code.stop_journal else badge("Goes out", "plain")

    @confirmed_action(
        description="Replace from a date",
        permission="catalogue.open_new_version",
        form=ReplacementForm,
        icon="event_upcoming",
        effect=lambda gl_code: (
            f"All that is booked to {gl_code} is booked to another code from the date below on. Orders placed before "
            "keep theirs. The next page shows which prices that are; nothing changes until you confirm there."
        ),
    )
    def replace(self, request: HttpRequest, gl_code: GLCode, confirmation: Confirmation) -> str | HttpResponse:
        answers = dict(confirmation.answers)
        by, starts_on = answers["gl_code"], answers["starts_on"]
        if not was_seen(request, answers):
            links = GLLink.objects.filter(gl_code=gl_code).meeting(starts_on, None).select_related("fee_schedule")
            rows = [
                (_priced(link), gl_code.dotted, by.dotted, f"from {max(link.starts_on, starts_on)}") for link in links
            ]
            effect = f"{len(rows)} of the prices booked to {gl_code} will be booked to {by}. {NOTHING_YET}"
            return preview_page(self, request, gl_code, answers, Comparison(effect, rows))
        opened = replace_gl_code(
            gl_code.pk,
            by_gl_code_id=by.pk,
            starts_on=starts_on,
            past_allowed=answers["past_allowed"],
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return f"{len(opened)} prices are booked to {by} from {starts_on} on."


@admin.register(GLLink)
class GLLinkAdmin(CatalogueAdmin):
    resource_classes = (GLLinkResource,)
    naming = ("fee_schedule",)
    list_display = ("price", "code_shown", "days", "state")
    list_filter = (InForceFilter, LinkProductFilter)
    search_fields = ("fee_schedule__product__code", "fee_schedule__filing_type__code", "gl_code__name", "gl_code__stob")
    search_help_text = "Product, filing type, or name of the GL code"
    ordering = ("fee_schedule__product", "fee_schedule__filing_type", "-starts_on")
    autocomplete_fields = ("fee_schedule", "gl_code")
    actions_detail = ("new_version",)
    state, days = dated_state, days_in_force
    fieldsets = ((None, {"fields": ("fee_schedule", "gl_code", ("starts_on", "ends_on"))}),)
    list_title = "GL links"
    intro = "Which GL code each price is booked to, one at a time. “New version from a date” books it elsewhere then."
    empty_text = "No price is booked anywhere yet. Link each fee schedule to its GL code, or orders cannot be charged."

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("fee_schedule", "gl_code")

    @display(description="price", ordering="fee_schedule__product")
    def price(self, link: GLLink) -> str:
        return _priced(link)

    @display(description="booked to", ordering="gl_code__name")
    def code_shown(self, link: GLLink) -> SafeString | str:
        return record_link(GLCode, link.gl_code_id, str(link.gl_code))

    @confirmed_action(
        description="New version from a date",
        permission="catalogue.open_new_version",
        form=NewLinkForm,
        icon="event_upcoming",
        effect=lambda link: (
            f"{_priced(link)} is booked to another GL code from the date below on. Orders placed before keep theirs."
        ),
    )
    def new_version(self, request: HttpRequest, link: GLLink, confirmation: Confirmation) -> str | HttpResponse:
        answers = dict(confirmation.answers)
        starts_on, gl_code = answers["starts_on"], answers["gl_code"]
        if not was_seen(request, answers):
            check_start(link, starts_on, on=business_date(confirmation.at), past_allowed=answers["past_allowed"])
            rows = [
                ("GL code", link.gl_code.dotted, gl_code.dotted, f"from {starts_on}"),
                ("Name", link.gl_code.name, gl_code.name, ""),
            ]
            effect = f"From {starts_on} on, {_priced(link)} is booked elsewhere. {NOTHING_YET}"
            return preview_page(self, request, link, answers, Comparison(effect, rows))
        version = new_link_version(
            link.pk,
            gl_code_id=gl_code.pk,
            starts_on=starts_on,
            past_allowed=answers["past_allowed"],
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return f"{_priced(link)} is booked to {gl_code} from {version.opened.starts_on} on."


@admin.register(TaxRate)
class TaxRateAdmin(CatalogueAdmin):
    resource_classes = (TaxRateResource,)
    naming = ("tax_type",)
    list_display = ("tax_type", "percent", "days", "state")
    list_filter = (InForceFilter,)
    search_fields = ("tax_type",)
    search_help_text = "Name of the tax"
    ordering = ("tax_type", "-starts_on")
    actions_detail = ("new_version",)
    state, days = dated_state, days_in_force
    fieldsets = ((None, {"fields": ("tax_type", "rate", ("starts_on", "ends_on"))}),)
    intro = "The rates of taxes, one at a time. Which prices are taxed stands in the fee schedules."
    empty_text = "No tax rate yet. Orders of taxed prices are refused until there is one."

    @display(description="rate", ordering="rate")
    def percent(self, rate: TaxRate) -> str:
        return f"{rate.rate * 100:.2f} %"

    @confirmed_action(
        description="New version from a date",
        permission="catalogue.open_new_version",
        form=NewRateForm,
        icon="event_upcoming",
        effect=lambda rate: f"The rate of {rate.tax_type} is another from the date below on.",
    )
    def new_version(self, request: HttpRequest, rate: TaxRate, confirmation: Confirmation) -> str | HttpResponse:
        answers = dict(confirmation.answers)
        starts_on, new_rate = answers["starts_on"], answers["rate"]
        if not was_seen(request, answers):
            check_start(rate, starts_on, on=business_date(confirmation.at), past_allowed=answers["past_allowed"])
            before, after = rounded_tax(EXAMPLE, rate.rate), rounded_tax(EXAMPLE, new_rate)
            rows = [
                ("Rate", f"{rate.rate * 100:.2f} %", f"{new_rate * 100:.2f} %", ""),
                (
                    f"{rate.tax_type} on 100.00",
                    money(before, CURRENCY),
                    money(after, CURRENCY),
                    f"{after - before:+,.2f}",
                ),
            ]
            effect = f"From {starts_on} on, {rate.tax_type} is {new_rate * 100:.2f} %. {NOTHING_YET}"
            return preview_page(self, request, rate, answers, Comparison(effect, rows))
        new_rate_version(rate.pk, **answers, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at)
        return f"{rate.tax_type} is {new_rate * 100:.2f} % from {starts_on} on."


def _priced(link: GLLink) -> str:
    return f"{link.fee_schedule.product_id} {link.fee_schedule.filing_type_id}"
