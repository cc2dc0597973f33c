"""What accounts, partners and API clients refer to in the catalogue: products, fee codes, general ledger codes."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0002_create_accounts"),
        ("catalogue", "0001_create_catalogue"),
    ]

    operations = [
        TimeLimits(),
        migrations.AddField(
            model_name="apiclient",
            name="products",
            field=models.ManyToManyField(
                blank=True, db_table="api_client_product", related_name="api_clients", to="catalogue.product"
            ),
        ),
        migrations.AddField(
            model_name="paymentaccount",
            name="journal_gl",
            field=models.ForeignKey(
                blank=True,
                help_text="A government customer's own general ledger code, which its journal vouchers debit.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="payment_accounts",
                to="catalogue.glcode",
            ),
        ),
        migrations.CreateModel(
            name="PartnerProduct",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "partner",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="partner_products",
                        to="accounts.partner",
                    ),
                ),
                (
                    "product",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="partner_product",
                        to="catalogue.product",
                    ),
                ),
            ],
            options={
                "verbose_name": "product of a partner",
                "verbose_name_plural": "products of partners",
                "db_table": "partner_product",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="AccountFee",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("applies_filing_fees", models.BooleanField(db_default=True, default=True)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="fees", to="accounts.paymentaccount"
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="account_fees", to="catalogue.product"
                    ),
                ),
                (
                    "service_fee_code",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="account_fees",
                        to="catalogue.feecode",
                    ),
                ),
            ],
            options={
                "verbose_name": "account fee",
                "db_table": "account_fee",
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(fields=("account", "product"), name="account_fee_one_a_product")
                ],
            },
        ),
    ]
