"""Partners: whose products we collect for, and how each is paid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.enums import ActionVariant

from accounts import operations
from accounts.admin.payerforms import chosen_from
from accounts.models import Partner, PartnerProduct
from accounts.operations import PartnerDetails
from accounts.states import PartnerKind, choices
from kernel.adminsite import Confirmation, Facts, Panel, RecordAdmin, badge, confirmed_action, record_address, table


class PartnerForm(forms.Form):
    name = forms.CharField(max_length=250)
    kind = forms.ChoiceField(
        choices=choices(PartnerKind),
        help_text="Government is paid by journal voucher, everybody else by accounts payable under a supplier number.",
    )
    supplier_number = forms.CharField(max_length=30, required=False, help_text="Wanted outside government.")
    supplier_site = forms.CharField(max_length=30, required=False, help_text="Wanted outside government.")
    active = forms.BooleanField(required=False, initial=True, label="Is paid", help_text="Off: nothing is paid out.")


class NewPartnerForm(PartnerForm):
    code = forms.RegexField(
        r"^[A-Z0-9]{2,10}$",
        help_text="2 to 10 capital letters and digits.",
        error_messages={"invalid": "2 to 10 capital letters and digits."},
    )
    field_order = ["code"]


class ProductForm(forms.Form):
    product = chosen_from(PartnerProduct, "product")


def _details(partner: Partner) -> dict[str, Any]:
    return {field: getattr(partner, field) for field in PartnerForm.base_fields}


@admin.register(Partner)
class PartnerAdmin(RecordAdmin):
    list_display = ("code", "name", "kind_shown", "products", "supplier", "state")
    list_display_links = ("code", "name")
    list_filter = ("kind", "active")
    search_fields = ("code", "name", "supplier_number")
    search_help_text = "Code, name or supplier number"
    ordering = ("code",)
    intro = (
        "On whose behalf fees are collected. What is paid on goes by journal voucher inside government, and by "
        "accounts payable to everybody else."
    )
    empty_text = "No partner yet. Without one, what is collected stays with us."
    story_empty = "Changes to this partner will appear here, with who and why."
    actions_list = ("add_partner",)
    actions_detail = ("change_partner", "give_product", "take_product")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("partner_products__product")

    @display(description="Paid by")
    def kind_shown(self, partner: Partner) -> str:
        return "Journal voucher" if partner.kind == PartnerKind.GOVERNMENT else "Accounts payable"

    @display(description="Products")
    def products(self, partner: Partner) -> str:
        return ", ".join(sorted(owned.product_id for owned in partner.partner_products.all())) or "none"

    @display(description="Supplier")
    def supplier(self, partner: Partner) -> str:
        return " / ".join(filter(None, (partner.supplier_number, partner.supplier_site))) or "–"

    @display(description="State")
    def state(self, partner: Partner) -> SafeString:
        return badge("Is paid", "good") if partner.active else badge("Not paid", "attention")

    def facts(self, record: Partner) -> Sequence[Facts]:
        return [
            Facts(
                "Partner",
                [
                    ("Code", record.code),
                    ("Name", record.name),
                    ("Kind", record.get_kind_display()),
                    ("Paid by", self.kind_shown(record)),
                    ("Supplier number", record.supplier_number),
                    ("Supplier site", record.supplier_site),
                    ("State", self.state(record)),
                ],
            )
        ]

    def panels(self, request: HttpRequest, record: Partner) -> Sequence[Panel]:
        owned: list[Any] = sorted(record.partner_products.all(), key=lambda one: one.product_id)
        rows = [(one.product_id, one.product.description) for one in owned]
        shown = table(("Product", "Description"), rows, empty="None: nothing is collected for this partner.")
        return [Panel("Products", shown, order=10)]

    @confirmed_action(
        description="Add a partner",
        permission="accounts.add_partner",
        effect="A partner is added to whom products can be given. Nothing is paid before.",
        form=NewPartnerForm,
        icon="add",
        variant=ActionVariant.PRIMARY,
    )
    def add_partner(self, request: HttpRequest, record: None, confirmation: Confirmation) -> HttpResponse:
        answers = dict(confirmation.answers)
        partner = operations.add_partner(
            answers.pop("code"),
            PartnerDetails(**answers),
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        self.message_user(request, f"{partner} was added.")
        return HttpResponseRedirect(record_address(Partner, partner.pk))

    @confirmed_action(
        description="Change",
        permission="accounts.change_partner",
        effect="What is paid out from now on goes the way that you fill in. What was paid stays as it is.",
        form=PartnerForm,
        initial=_details,
        icon="edit",
    )
    def change_partner(self, request: HttpRequest, partner: Partner, confirmation: Confirmation) -> str:
        operations.change_partner(
            partner.pk,
            PartnerDetails(**confirmation.answers),
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return f"{partner.code} is changed."

    @confirmed_action(
        description="Give a product",
        permission="accounts.change_partner",
        effect=lambda partner: f"What is collected for the product is {partner.code}'s from now on.",
        form=ProductForm,
        icon="add_link",
    )
    def give_product(self, request: HttpRequest, partner: Partner, confirmation: Confirmation) -> str:
        given = operations.give_product(
            partner.pk,
            confirmation.answers["product"].pk,
            actor=confirmation.actor,
            reason=confirmation.reason,
            at=confirmation.at,
        )
        return f"{given.product_id} belongs to {partner.code} now."

    @confirmed_action(
        description="Take a product",
        permission="accounts.change_partner",
        effect=lambda partner: (
            f"What is collected for the product is {partner.code}'s no longer, and nobody's until it is given to "
            "another partner."
        ),
        form=ProductForm,
        icon="link_off",
    )
    def take_product(self, request: HttpRequest, partner: Partner, confirmation: Confirmation) -> str:
        product = confirmation.answers["product"]
        operations.take_product(
            partner.pk, product.pk, actor=confirmation.actor, reason=confirmation.reason, at=confirmation.at
        )
        return f"{product.pk} does not belong to {partner.code} any more."
