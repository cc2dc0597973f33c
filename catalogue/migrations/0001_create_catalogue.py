"""The tables of what is charged and where it is booked, in which nothing that is dated overlaps."""

from __future__ import annotations

import django.contrib.postgres.constraints
import django.contrib.postgres.fields
import django.contrib.postgres.fields.ranges
import django.db.models.deletion
from django.contrib.postgres.operations import BtreeGistExtension
from django.db import migrations, models

import kernel.fields
from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        TimeLimits(),
        # For exclusion constraints that compare a key beside a range of days.
        BtreeGistExtension(),
        migrations.CreateModel(
            name="FeeCode",
            fields=[
                ("code", models.CharField(max_length=10, primary_key=True, serialize=False)),
                ("amount", kernel.fields.MoneyField(decimal_places=2, max_digits=15)),
            ],
            options={
                "db_table": "fee_code",
                "default_permissions": ("view", "add", "change"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("code__regex", "^[A-Z0-9_]+$")), name="fee_code_written"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("amount__gte", 0)),
                        name="fee_code_not_negative",
                        violation_error_message="An amount is zero or more.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="FilingType",
            fields=[
                ("code", models.CharField(max_length=10, primary_key=True, serialize=False)),
                ("description", models.CharField(max_length=200)),
            ],
            options={
                "db_table": "filing_type",
                "default_permissions": ("view", "add", "change"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("code__regex", "^[A-Z0-9_]+$")), name="filing_type_code_written"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="FeeSchedule",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_on", models.DateField(verbose_name="in force from")),
                (
                    "ends_on",
                    models.DateField(
                        blank=True,
                        help_text="The last day, included. Empty: until further notice.",
                        null=True,
                        verbose_name="until",
                    ),
                ),
                (
                    "variable",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="On: whoever orders says the amount of the filing fee.",
                    ),
                ),
                ("on_price_list", models.BooleanField(db_default=True, default=True)),
                (
                    "statutory_gst",
                    models.BooleanField(db_default=False, default=False, verbose_name="GST on the statutory fees"),
                ),
                (
                    "service_gst",
                    models.BooleanField(db_default=False, default=False, verbose_name="GST on the service fee"),
                ),
                ("comments", models.TextField(blank=True, db_default="", default="")),
                (
                    "fee_code",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="fee_code_of", to="catalogue.feecode"
                    ),
                ),
                (
                    "future_effective_fee_code",
                    models.ForeignKey(
                        blank=True,
                        help_text="Added when the filing takes effect later.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="future_effective_fee_code_of",
                        to="catalogue.feecode",
                    ),
                ),
                (
                    "priority_fee_code",
                    models.ForeignKey(
                        blank=True,
                        help_text="Added when the filing is asked for with priority.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="priority_fee_code_of",
                        to="catalogue.feecode",
                    ),
                ),
                (
                    "service_fee_code",
                    models.ForeignKey(
                        blank=True,
                        help_text="Ours, once an invoice.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_fee_code_of",
                        to="catalogue.feecode",
                    ),
                ),
                (
                    "filing_type",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="fee_schedules",
                        to="catalogue.filingtype",
                    ),
                ),
            ],
            options={
                "db_table": "fee_schedule",
                "permissions": [("open_new_version", "Can open a new version of a price, a GL link or a tax rate")],
                "default_permissions": ("view", "add", "change"),
            },
        ),
        migrations.CreateModel(
            name="GLCode",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_on", models.DateField(verbose_name="in force from")),
                (
                    "ends_on",
                    models.DateField(
                        blank=True,
                        help_text="The last day, included. Empty: until further notice.",
                        null=True,
                        verbose_name="until",
                    ),
                ),
                ("name", models.CharField(max_length=250)),
                ("client", models.CharField(max_length=3)),
                ("responsibility_centre", models.CharField(max_length=5)),
                ("service_line", models.CharField(max_length=5)),
                ("stob", models.CharField(max_length=4, verbose_name="STOB")),
                ("project_code", models.CharField(max_length=7)),
                (
                    "stop_journal",
                    models.BooleanField(
                        db_default=False, default=False, help_text="On: journal vouchers of this code are held back."
                    ),
                ),
                ("comments", models.TextField(blank=True, db_default="", default="")),
                (
                    "disbursement_gl",
                    models.ForeignKey(
                        blank=True,
                        help_text="Where the partner's share goes.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="disbursement_gl_of",
                        to="catalogue.glcode",
                        verbose_name="partner's share",
                    ),
                ),
                (
                    "service_fee_gl",
                    models.ForeignKey(
                        blank=True,
                        help_text="Where the service fee is booked.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_fee_gl_of",
                        to="catalogue.glcode",
                        verbose_name="service fee",
                    ),
                ),
                (
                    "service_gst_gl",
                    models.ForeignKey(
                        blank=True,
                        help_text="Where GST on the service fee is booked.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="service_gst_gl_of",
                        to="catalogue.glcode",
                        verbose_name="GST on the service fee",
                    ),
                ),
                (
                    "statutory_gst_gl",
                    models.ForeignKey(
                        blank=True,
                        help_text="Where GST on the statutory fees is booked.",
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="statutory_gst_gl_of",
                        to="catalogue.glcode",
                        verbose_name="GST on the statutory fees",
                    ),
                ),
            ],
            options={
                "verbose_name": "GL code",
                "db_table": "gl_code",
                "default_permissions": ("view", "add", "change"),
            },
        ),
        migrations.CreateModel(
            name="GLLink",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_on", models.DateField(verbose_name="in force from")),
                (
                    "ends_on",
                    models.DateField(
                        blank=True,
                        help_text="The last day, included. Empty: until further notice.",
                        null=True,
                        verbose_name="until",
                    ),
                ),
                (
                    "fee_schedule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="gl_links", to="catalogue.feeschedule"
                    ),
                ),
                (
                    "gl_code",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="links",
                        to="catalogue.glcode",
                        verbose_name="GL code",
                    ),
                ),
            ],
            options={
                "verbose_name": "GL link",
                "db_table": "gl_link",
                "default_permissions": ("view", "add", "change"),
            },
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                ("code", models.CharField(max_length=10, primary_key=True, serialize=False)),
                ("description", models.CharField(max_length=200)),
                (
                    "line",
                    models.CharField(blank=True, db_default="", default="", max_length=20, verbose_name="product line"),
                ),
                (
                    "prepaid_code_full_fee",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="The prepaid mainframe's code, full fee.",
                        max_length=10,
                    ),
                ),
                ("prepaid_code_partial_fee", models.CharField(blank=True, db_default="", default="", max_length=10)),
                ("prepaid_code_no_fee", models.CharField(blank=True, db_default="", default="", max_length=10)),
                ("prepaid_code_staff", models.CharField(blank=True, db_default="", default="", max_length=10)),
                (
                    "has_partner_disbursements",
                    models.BooleanField(
                        db_default=False, default=False, help_text="On: what is collected is paid on to a partner."
                    ),
                ),
                (
                    "payment_methods",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("PAD", "PAD"),
                                ("EFT", "EFT"),
                                ("EJV", "EJV"),
                                ("ONLINE_BANKING", "ONLINE_BANKING"),
                                ("DIRECT_PAY", "DIRECT_PAY"),
                                ("CC", "CC"),
                                ("DRAWDOWN", "DRAWDOWN"),
                                ("INTERNAL", "INTERNAL"),
                            ],
                            max_length=15,
                        ),
                        blank=True,
                        default=list,
                        help_text="How an order of this product may be paid.",
                        size=None,
                    ),
                ),
                (
                    "refund_approval",
                    models.BooleanField(
                        db_default=False, default=False, help_text="On: a refund needs a second person."
                    ),
                ),
                ("refund_allowed", models.BooleanField(db_default=True, default=True)),
                ("comments", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "db_table": "product",
                "permissions": [("import_catalogue", "Can import tables of the catalogue")],
                "default_permissions": ("view", "add", "change"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("code__regex", "^[A-Z0-9_]+$")), name="product_code_written"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "payment_methods__contained_by",
                                ["PAD", "EFT", "EJV", "ONLINE_BANKING", "DIRECT_PAY", "CC", "DRAWDOWN", "INTERNAL"],
                            )
                        ),
                        name="product_methods_known",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="feeschedule",
            name="product",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="fee_schedules", to="catalogue.product"
            ),
        ),
        migrations.CreateModel(
            name="TaxRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("starts_on", models.DateField(verbose_name="in force from")),
                (
                    "ends_on",
                    models.DateField(
                        blank=True,
                        help_text="The last day, included. Empty: until further notice.",
                        null=True,
                        verbose_name="until",
                    ),
                ),
                ("tax_type", models.CharField(choices=[("GST", "GST")], default="GST", max_length=10)),
                ("rate", models.DecimalField(decimal_places=4, help_text="0.0500 is five per cent.", max_digits=6)),
            ],
            options={
                "db_table": "tax_rate",
                "default_permissions": ("view", "add", "change"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("rate__gte", 0), ("rate__lt", 1)),
                        name="tax_rate_below_one",
                        violation_error_message="A rate is a share of one: 0.0500 for five per cent.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("ends_on__isnull", True), ("ends_on__gte", models.F("starts_on")), _connector="OR"
                        ),
                        name="tax_rate_ends_after_it_starts",
                        violation_error_message="The last day should not be before the first.",
                    ),
                    django.contrib.postgres.constraints.ExclusionConstraint(
                        expressions=[
                            ("tax_type", "="),
                            (
                                models.Func(
                                    models.F("starts_on"),
                                    models.F("ends_on"),
                                    models.Value("[]"),
                                    function="daterange",
                                    output_field=django.contrib.postgres.fields.ranges.DateRangeField(),
                                ),
                                "&&",
                            ),
                        ],
                        name="tax_rate_one_at_a_time",
                        violation_error_message="Another one is in force on some of these days: open a new version of it instead.",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="glcode",
            constraint=models.CheckConstraint(
                condition=models.Q(("client__regex", "^[0-9A-Z]{3}$")),
                name="gl_code_client_fits",
                violation_error_message="client should be 3 digits or capital letters.",
            ),
        ),
        migrations.AddConstraint(
            model_name="glcode",
            constraint=models.CheckConstraint(
                condition=models.Q(("responsibility_centre__regex", "^[0-9A-Z]{5}$")),
                name="gl_code_responsibility_centre_fits",
                violation_error_message="responsibility centre should be 5 digits or capital letters.",
            ),
        ),
        migrations.AddConstraint(
            model_name="glcode",
            constraint=models.CheckConstraint(
                condition=models.Q(("service_line__regex", "^[0-9A-Z]{5}$")),
                name="gl_code_service_line_fits",
                violation_error_message="service line should be 5 digits or capital letters.",
            ),
        ),
        migrations.AddConstraint(
            model_name="glcode",
            constraint=models.CheckConstraint(
                condition=models.Q(("stob__regex", "^[0-9]{4}$")),
                name="gl_code_stob_fits",
                violation_error_message="stob should be 4 digits.",
            ),
        ),
        migrations.AddConstraint(
            model_name="glcode",
            constraint=models.CheckConstraint(
                condition=models.Q(("project_code__regex", "^[0-9A-Z]{7}$")),
                name="gl_code_project_code_fits",
                violation_error_message="project code should be 7 digits or capital letters.",
            ),
        ),
        migrations.AddConstraint(
            model_name="glcode",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_on__isnull", True), ("ends_on__gte", models.F("starts_on")), _connector="OR"),
                name="gl_code_ends_after_it_starts",
                violation_error_message="The last day should not be before the first.",
            ),
        ),
        migrations.AddConstraint(
            model_name="gllink",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_on__isnull", True), ("ends_on__gte", models.F("starts_on")), _connector="OR"),
                name="gl_link_ends_after_it_starts",
                violation_error_message="The last day should not be before the first.",
            ),
        ),
        migrations.AddConstraint(
            model_name="gllink",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    ("fee_schedule", "="),
                    (
                        models.Func(
                            models.F("starts_on"),
                            models.F("ends_on"),
                            models.Value("[]"),
                            function="daterange",
                            output_field=django.contrib.postgres.fields.ranges.DateRangeField(),
                        ),
                        "&&",
                    ),
                ],
                name="gl_link_one_at_a_time",
                violation_error_message="Another one is in force on some of these days: open a new version of it instead.",
            ),
        ),
        migrations.AddConstraint(
            model_name="feeschedule",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_on__isnull", True), ("ends_on__gte", models.F("starts_on")), _connector="OR"),
                name="fee_schedule_ends_after_it_starts",
                violation_error_message="The last day should not be before the first.",
            ),
        ),
        migrations.AddConstraint(
            model_name="feeschedule",
            constraint=django.contrib.postgres.constraints.ExclusionConstraint(
                expressions=[
                    ("product", "="),
                    ("filing_type", "="),
                    (
                        models.Func(
                            models.F("starts_on"),
                            models.F("ends_on"),
                            models.Value("[]"),
                            function="daterange",
                            output_field=django.contrib.postgres.fields.ranges.DateRangeField(),
                        ),
                        "&&",
                    ),
                ],
                name="fee_schedule_one_at_a_time",
                violation_error_message="Another one is in force on some of these days: open a new version of it instead.",
            ),
        ),
    ]
