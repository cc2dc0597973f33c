"""Partners: on whose behalf fees are charged, and how each is paid its share."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from accounts.querysets import PartnerQuerySet
from accounts.states import PartnerKind, choices


class Partner(models.Model):
    """An organisation whose products we collect for."""

    code = models.CharField(max_length=10, unique=True)
    name = models.CharField(max_length=250)
    kind = models.CharField(max_length=15, choices=choices(PartnerKind))
    supplier_number = models.CharField(
        max_length=30, blank=True, default="", db_default="", help_text="Under which accounts payable knows it."
    )
    supplier_site = models.CharField(max_length=30, blank=True, default="", db_default="")
    active = models.BooleanField(default=True, db_default=True)

    objects = PartnerQuerySet.as_manager()

    class Meta:
        db_table = "partner"
        default_permissions = ("view", "add", "change")
        constraints = [
            models.CheckConstraint(
                name="partner_kind_known", condition=Q(kind__in=[kind.value for kind in PartnerKind])
            ),
            # Accounts payable cannot pay somebody whom it has no number for.
            models.CheckConstraint(
                name="partner_outside_government_has_supplier",
                condition=Q(kind=PartnerKind.GOVERNMENT.value) | (~Q(supplier_number="") & ~Q(supplier_site="")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class PartnerProduct(models.Model):
    """Whose product it is: a product has one partner at the most."""

    partner = models.ForeignKey(Partner, on_delete=models.PROTECT, related_name="partner_products")
    product = models.OneToOneField("catalogue.Product", on_delete=models.PROTECT, related_name="partner_product")

    class Meta:
        db_table = "partner_product"
        verbose_name = "product of a partner"
        verbose_name_plural = "products of partners"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.product_id} of partner {self.partner_id}"
