"""Products with their price lists, and filing types."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from catalogue.admin.prices import taxed_parts
from catalogue.admin.records import CatalogueAdmin
from catalogue.exchange import FilingTypeResource, ProductResource
from catalogue.forms import ProductForm
from catalogue.models import FeeSchedule, FilingType, Product
from catalogue.paymentmethods import METHOD_WORDS, PAYMENT_METHODS
from catalogue.previews import ListedPrice, price_list, rate_of_day
from catalogue.quote import SchedulePrice
from kernel.adminsite import badge, list_address, record_address, record_link
from kernel.calendar import business_date
from kernel.display import NOTHING

PRICES = "catalogue_product_prices"


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One line of the price list, as it is shown."""

    filing: str
    link: SafeString | str
    price: SchedulePrice
    is_first: bool
    is_next: bool

    @property
    def base(self) -> str:
        return "Variable" if self.price.variable else f"{self.price.base:,.2f}"

    @property
    def priority(self) -> str:
        return f"{self.price.priority:,.2f}" if self.price.priority else "–"

    @property
    def future(self) -> str:
        return f"{self.price.future_effective:,.2f}" if self.price.future_effective else "–"

    @property
    def ours(self) -> str:
        is_free = not self.price.base and not self.price.variable
        return "–" if self.price.service is None or is_free else f"{self.price.service:,.2f}"

    @property
    def gst(self) -> str:
        return taxed_parts(statutory=self.price.statutory_gst, ours=self.price.service_gst)


@admin.register(Product)
class ProductAdmin(CatalogueAdmin):
    form = ProductForm
    resource_classes = (ProductResource,)
    naming = ("code",)
    list_display = ("code", "description", "line", "methods_shown", "refunds", "shares", "prices")
    list_filter = ("line", "refund_allowed", "refund_approval", "has_partner_disbursements")
    search_fields = ("code", "description", "line")
    search_help_text = "Code, description or product line"
    ordering = ("code",)
    readonly_fields = ("prices",)
    fieldsets = (
        (None, {"fields": ("code", "description", "line", "prices", "payment_methods")}),
        ("Refunds and shares", {"fields": (("refund_allowed", "refund_approval"), "has_partner_disbursements")}),
        (
            "Codes of the prepaid mainframe",
            {
                "fields": (
                    ("prepaid_code_full_fee", "prepaid_code_partial_fee"),
                    ("prepaid_code_no_fee", "prepaid_code_staff"),
                )
            },
        ),
        ("Comments", {"fields": ("comments",)}),
    )
    intro = (
        "The lines of business whose filings are charged: how each may be paid, whether refunds need a second person, "
        "and whether a partner gets a share. “Price list” shows what each filing costs today and next."
    )
    empty_text = "No product yet. Add one, then give its filing types a price in the fee schedules."

    def get_urls(self) -> list[URLPattern]:
        page = path("<path:code>/prices/", self.admin_site.admin_view(self.prices_page), name=PRICES)
        return [page, *super().get_urls()]

    @display(description="paid by")
    def methods_shown(self, product: Product) -> SafeString | str:
        if set(product.payment_methods) == set(PAYMENT_METHODS):
            return "All methods"
        said = ", ".join(METHOD_WORDS.get(code, code) for code in product.payment_methods)
        return format_html('<span class="ps-wrap">{}</span>', said or "No method yet")

    @display(description="refunds")
    def refunds(self, product: Product) -> SafeString:
        if not product.refund_allowed:
            return badge("None", "plain")
        return badge("Two people", "waiting") if product.refund_approval else badge("Allowed", "good")

    @display(description="partner's share")
    def shares(self, product: Product) -> SafeString | str:
        return badge("Yes", "plain") if product.has_partner_disbursements else NOTHING

    @display(description="prices")
    def prices(self, product: Product) -> SafeString | str:
        if not product.pk:
            return "–"
        address = reverse(f"admin:{PRICES}", args=[product.pk])
        return format_html('<a class="ps-link whitespace-nowrap" href="{}">Price list</a>', address)

    def prices_page(self, request: HttpRequest, code: str) -> HttpResponse:
        """What every filing of the product costs today, and from its next version on."""
        if not request.user.has_perm("catalogue.view_feeschedule"):
            raise PermissionDenied
        product = Product.objects.filter(pk=code).first()
        if product is None:
            raise Http404(f"There is no product {code}.")
        today = business_date(timezone.now())
        rate = rate_of_day(today)
        context = {
            **self.admin_site.each_context(request),
            "title": f"Price list of {product}",
            "product": product,
            "product_address": record_address(Product, product.pk),
            "schedules_address": list_address(FeeSchedule, {"product": product.pk}),
            "today": today,
            "rate": rate,
            "rate_percent": None if rate is None else f"{rate * 100:.2f}",
            "rows": [row for listed in price_list(product, on=today) for row in _rows(listed)],
        }
        return TemplateResponse(request, "catalogue/admin/price_list.html", context)


def _rows(listed: ListedPrice) -> list[PriceRow]:
    filing = f"{listed.filing_type} {listed.description}"
    rows = []
    if listed.today is not None:
        until = f" until {listed.ends_on}" if listed.ends_on else ""
        rows.append(PriceRow(filing, _schedule(listed.today, f"Today{until}"), listed.today, True, False))
    if listed.next is not None:
        words = f"From {listed.next_from}"
        rows.append(PriceRow(filing, _schedule(listed.next, words), listed.next, not rows, True))
    return rows


def _schedule(price: SchedulePrice, words: str) -> SafeString | str:
    return record_link(FeeSchedule, price.schedule_id, words)


@admin.register(FilingType)
class FilingTypeAdmin(CatalogueAdmin):
    resource_classes = (FilingTypeResource,)
    naming = ("code",)
    list_display = ("code", "description")
    search_fields = ("code", "description")
    search_help_text = "Code or description"
    ordering = ("code",)
    fieldsets = ((None, {"fields": ("code", "description")}),)
    intro = "What can be filed or ordered. What it costs depends on the product, and stands in the fee schedules."
    empty_text = "No filing type yet. Add one, then give it a price for a product in the fee schedules."
