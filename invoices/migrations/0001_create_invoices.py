"""The tables of what is owed: invoices, their lines, numbers, receipts, refunds, credits and calls to the outside."""

from __future__ import annotations

import uuid
from decimal import Decimal

import django.core.serializers.json
import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import invoices.states
import kernel.fields
from kernel.migrations import AppendOnly, TimeLimits


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("accounts", "0003_link_accounts_to_catalogue"),
        ("approvals", "0005_validate_principals"),
        ("catalogue", "0001_create_catalogue"),
    ]

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="Invoice",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("payment_method", models.CharField(max_length=15)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("CREATED", "CREATED"),
                            ("APPROVED", "APPROVED"),
                            ("SETTLEMENT_SCHED", "SETTLEMENT_SCHED"),
                            ("PARTIAL_PAID", "PARTIAL_PAID"),
                            ("PAID", "PAID"),
                            ("OVERDUE", "OVERDUE"),
                            ("REFUND_REQUESTED", "REFUND_REQUESTED"),
                            ("REFUNDED", "REFUNDED"),
                            ("CREDITED", "CREDITED"),
                            ("CANCELLED", "CANCELLED"),
                            ("MANUALLY_REFUNDED", "MANUALLY_REFUNDED"),
                            ("CHARGEBACK", "CHARGEBACK"),
                            ("DELETE_ACCEPTED", "DELETE_ACCEPTED"),
                            ("DELETED", "DELETED"),
                            ("GL_UPDATED", "GL_UPDATED"),
                            ("GL_UPDATED_REFUND", "GL_UPDATED_REFUND"),
                        ],
                        max_length=20,
                    ),
                ),
                ("status_since", models.DateTimeField()),
                ("business_identifier", models.CharField(blank=True, default="", max_length=20)),
                ("filing_id", models.CharField(blank=True, default="", max_length=50)),
                ("folio_number", models.CharField(blank=True, default="", max_length=50)),
                ("dat_number", models.CharField(blank=True, default="", max_length=50)),
                ("prepaid_account", models.CharField(blank=True, default="", max_length=50)),
                ("routing_slip", models.CharField(blank=True, default="", max_length=50)),
                ("details", models.JSONField(default=list, encoder=django.core.serializers.json.DjangoJSONEncoder)),
                ("currency", models.CharField(default="CAD", max_length=3)),
                ("total", kernel.fields.MoneyField(decimal_places=2, max_digits=15)),
                ("service_fees", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("gst", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("paid_amount", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("refunded_amount", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("credited_amount", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("manual_amount", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("pending_amount", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("payment_date", models.DateTimeField(blank=True, null=True)),
                ("refund_date", models.DateTimeField(blank=True, null=True)),
                ("overdue_date", models.DateTimeField()),
                ("cancelled_at", models.DateTimeField(blank=True, null=True)),
                ("abandoned_at", models.DateTimeField(blank=True, null=True)),
                ("deleted_at", models.DateTimeField(blank=True, null=True)),
                ("bounced_at", models.DateTimeField(blank=True, null=True)),
                ("overdue_at", models.DateTimeField(blank=True, null=True)),
                ("charged_back_at", models.DateTimeField(blank=True, null=True)),
                ("gl_changed_at", models.DateTimeField(blank=True, null=True)),
                ("scheduled_at", models.DateTimeField(blank=True, null=True)),
                ("released_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("created_by", models.CharField(max_length=150)),
                ("business_key", models.CharField(blank=True, default="", max_length=100)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="invoices",
                        to="accounts.paymentaccount",
                    ),
                ),
                (
                    "ledger_identity",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="accounts.ledgeridentity"
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="catalogue.product"
                    ),
                ),
            ],
            options={
                "db_table": "invoice",
                "permissions": [
                    ("cancel_invoice", "Can cancel an invoice"),
                    ("request_refund", "Can ask for a refund"),
                    ("approve_refund", "Can approve or decline a refund"),
                    ("record_manual_refund", "Can record a refund made outside"),
                    ("apply_credit", "Can apply a credit to an invoice"),
                    ("record_chargeback", "Can record a chargeback"),
                    ("convert_invoice", "Can change the method of an unpaid invoice"),
                    ("export_invoices", "Can export invoices"),
                ],
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Credit",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("payment_method", models.CharField(max_length=15)),
                (
                    "kind",
                    models.CharField(
                        choices=[("CREDIT_MEMO", "CREDIT_MEMO"), ("ON_ACCOUNT", "ON_ACCOUNT")], max_length=12
                    ),
                ),
                ("amount", kernel.fields.MoneyField(decimal_places=2, max_digits=15)),
                ("applied_amount", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("currency", models.CharField(default="CAD", max_length=3)),
                ("ledger_identifier", models.CharField(blank=True, db_index=True, default="", max_length=50)),
                ("ledger_site", models.CharField(blank=True, default="", max_length=50)),
                ("details", models.CharField(blank=True, default="", max_length=200)),
                ("created_at", models.DateTimeField()),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credits",
                        to="accounts.paymentaccount",
                    ),
                ),
                (
                    "source_invoice",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credits",
                        to="invoices.invoice",
                    ),
                ),
            ],
            options={
                "db_table": "credit",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="CardAttempt",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("CREATED", "CREATED"),
                            ("COMPLETED", "COMPLETED"),
                            ("FAILED", "FAILED"),
                            ("CANCELLED", "CANCELLED"),
                        ],
                        max_length=10,
                    ),
                ),
                ("status_since", models.DateTimeField()),
                ("amount", kernel.fields.MoneyField(decimal_places=2, max_digits=15)),
                ("client_url", models.CharField(max_length=500)),
                ("pay_url", models.CharField(max_length=2000)),
                ("response", models.CharField(blank=True, default="", max_length=2000)),
                ("reason_code", models.CharField(blank=True, default="", max_length=50)),
                ("started_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, null=True)),
                ("checked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="card_attempts", to="invoices.invoice"
                    ),
                ),
            ],
            options={
                "verbose_name": "card payment",
                "db_table": "card_attempt",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="InvoiceLine",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("description", models.CharField(max_length=200)),
                ("quantity", models.PositiveIntegerField(default=1)),
                ("base_fees", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("priority_fees", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                (
                    "future_effective_fees",
                    kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15),
                ),
                ("total", kernel.fields.MoneyField(decimal_places=2, max_digits=15)),
                ("service_fees", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("statutory_gst", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("service_gst", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("pst", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("waived_fees", kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15)),
                ("waived_by", models.CharField(blank=True, default="", max_length=150)),
                ("status", models.CharField(choices=[("ACTIVE", "ACTIVE"), ("CANCELLED", "CANCELLED")], max_length=10)),
                ("fee_gl", models.CharField(blank=True, default="", max_length=50)),
                ("service_fee_gl", models.CharField(blank=True, default="", max_length=50)),
                ("statutory_gst_gl", models.CharField(blank=True, default="", max_length=50)),
                ("service_gst_gl", models.CharField(blank=True, default="", max_length=50)),
                (
                    "undone_base_fees",
                    kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15),
                ),
                (
                    "undone_priority_fees",
                    kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15),
                ),
                (
                    "undone_future_effective_fees",
                    kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15),
                ),
                (
                    "undone_service_fees",
                    kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15),
                ),
                (
                    "undone_statutory_gst",
                    kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15),
                ),
                (
                    "undone_service_gst",
                    kernel.fields.MoneyField(decimal_places=2, default=Decimal("0.00"), max_digits=15),
                ),
                (
                    "fee_schedule",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="catalogue.feeschedule"),
                ),
                (
                    "filing_type",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="catalogue.filingtype"
                    ),
                ),
                (
                    "gl_code",
                    models.ForeignKey(
                        blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, to="catalogue.glcode"
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="invoices.invoice"
                    ),
                ),
            ],
            options={
                "verbose_name": "invoice line",
                "db_table": "invoice_line",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="InvoiceReference",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("invoice_number", models.CharField(db_index=True, max_length=50)),
                ("reference_number", models.CharField(blank=True, default="", max_length=50)),
                (
                    "status",
                    models.CharField(
                        choices=[("ACTIVE", "ACTIVE"), ("COMPLETED", "COMPLETED"), ("CANCELLED", "CANCELLED")],
                        max_length=10,
                    ),
                ),
                ("is_consolidated", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField()),
                ("status_since", models.DateTimeField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="references", to="invoices.invoice"
                    ),
                ),
            ],
            options={
                "verbose_name": "invoice reference",
                "db_table": "invoice_reference",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Receipt",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("receipt_number", models.CharField(max_length=50)),
                ("amount", kernel.fields.MoneyField(decimal_places=2, max_digits=15)),
                ("currency", models.CharField(default="CAD", max_length=3)),
                ("receipt_date", models.DateTimeField()),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("card", "card"),
                            ("prepaid", "prepaid"),
                            ("internal", "internal"),
                            ("credit", "credit"),
                            ("settlement", "settlement"),
                            ("feedback", "feedback"),
                            ("deposit", "deposit"),
                            ("slip", "slip"),
                        ],
                        max_length=12,
                    ),
                ),
                ("payment_id", models.UUIDField(blank=True, null=True)),
                ("created_at", models.DateTimeField()),
                ("created_by", models.CharField(max_length=150)),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="receipts", to="invoices.invoice"
                    ),
                ),
                (
                    "reverses",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversed_by",
                        to="invoices.receipt",
                    ),
                ),
            ],
            options={
                "db_table": "receipt",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="CreditApplication",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("amount", kernel.fields.MoneyField(decimal_places=2, max_digits=15)),
                ("application_id", models.CharField(blank=True, default="", max_length=50)),
                ("applied_at", models.DateTimeField()),
                ("applied_by", models.CharField(max_length=150)),
                (
                    "credit",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="applications", to="invoices.credit"
                    ),
                ),
                (
                    "reverses",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="reversed_by",
                        to="invoices.creditapplication",
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_applications",
                        to="invoices.invoice",
                    ),
                ),
                (
                    "receipt",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="credit_application",
                        to="invoices.receipt",
                    ),
                ),
            ],
            options={
                "verbose_name": "application of a credit",
                "verbose_name_plural": "applications of credits",
                "db_table": "credit_application",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="Refund",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("is_full", models.BooleanField()),
                ("amount", kernel.fields.MoneyField(decimal_places=2, max_digits=15)),
                ("currency", models.CharField(default="CAD", max_length=3)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("CANCEL", "CANCEL"),
                            ("CREDIT", "CREDIT"),
                            ("MONEY_BACK", "MONEY_BACK"),
                            ("MANUAL", "MANUAL"),
                        ],
                        max_length=10,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("PENDING_APPROVAL", "PENDING_APPROVAL"),
                            ("DECLINED", "DECLINED"),
                            ("PROCESSING", "PROCESSING"),
                            ("PROCESSED", "PROCESSED"),
                            ("REFUSED", "REFUSED"),
                        ],
                        max_length=16,
                    ),
                ),
                ("status_since", models.DateTimeField()),
                ("reason", models.CharField(max_length=250)),
                ("staff_comment", models.CharField(blank=True, default="", max_length=1000)),
                ("notification_email", models.CharField(blank=True, default="", max_length=254)),
                ("requested_by", models.CharField(max_length=150)),
                ("requested_at", models.DateTimeField()),
                ("needs_approval", models.BooleanField()),
                ("decided_by", models.CharField(blank=True, default="", max_length=150)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("decline_reason", models.CharField(blank=True, default="", max_length=1000)),
                ("evidence", models.CharField(blank=True, default="", max_length=200)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                ("gl_posted_at", models.DateTimeField(blank=True, null=True)),
                ("gl_error", models.CharField(blank=True, default="", max_length=250)),
                (
                    "approval",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund",
                        to="approvals.approvalrequest",
                    ),
                ),
                (
                    "credit",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund",
                        to="invoices.credit",
                    ),
                ),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="refunds", to="invoices.invoice"
                    ),
                ),
            ],
            options={
                "db_table": "refund",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="OutsideCall",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, primary_key=True, serialize=False)),
                (
                    "kind",
                    models.CharField(
                        choices=[("PREPAID_DEBIT", "PREPAID_DEBIT"), ("CARD_REFUND", "CARD_REFUND")], max_length=16
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("PENDING", "PENDING"),
                            ("SENT", "SENT"),
                            ("UNKNOWN", "UNKNOWN"),
                            ("SUCCEEDED", "SUCCEEDED"),
                            ("REFUSED", "REFUSED"),
                        ],
                        max_length=10,
                    ),
                ),
                ("status_since", models.DateTimeField()),
                ("request", models.JSONField(encoder=django.core.serializers.json.DjangoJSONEncoder)),
                (
                    "answer",
                    models.JSONField(blank=True, encoder=django.core.serializers.json.DjangoJSONEncoder, null=True),
                ),
                ("error_code", models.CharField(blank=True, default="", max_length=60)),
                ("error_detail", models.CharField(blank=True, default="", max_length=500)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("next_attempt_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                (
                    "invoice",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="outside_calls", to="invoices.invoice"
                    ),
                ),
                (
                    "refund",
                    models.OneToOneField(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="outside_call",
                        to="invoices.refund",
                    ),
                ),
            ],
            options={
                "verbose_name": "call to the outside",
                "verbose_name_plural": "calls to the outside",
                "db_table": "outside_call",
                "default_permissions": ("view",),
            },
        ),
        migrations.CreateModel(
            name="RefundLine",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "fee_type",
                    models.CharField(
                        choices=[
                            ("BASE_FEES", "BASE_FEES"),
                            ("PRIORITY_FEES", "PRIORITY_FEES"),
                            ("FUTURE_EFFECTIVE_FEES", "FUTURE_EFFECTIVE_FEES"),
                            ("SERVICE_FEES", "SERVICE_FEES"),
                            ("STATUTORY_GST", "STATUTORY_GST"),
                            ("SERVICE_GST", "SERVICE_GST"),
                        ],
                        max_length=22,
                    ),
                ),
                ("amount", kernel.fields.MoneyField(decimal_places=2, max_digits=15)),
                (
                    "line",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="refund_lines",
                        to="invoices.invoiceline",
                    ),
                ),
                (
                    "refund",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="lines", to="invoices.refund"
                    ),
                ),
            ],
            options={
                "verbose_name": "refund line",
                "db_table": "refund_line",
                "default_permissions": ("view",),
            },
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["account", "-created_at", "-id"], name="invoice_account_created"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["status", "-created_at", "-id"], name="invoice_status_created"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["product", "-created_at", "-id"], name="invoice_product_created"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["payment_method", "-created_at", "-id"], name="invoice_method_created"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["-created_at", "-id"], name="invoice_created"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("business_identifier", ""), _negated=True),
                fields=["business_identifier", "-created_at"],
                name="invoice_business_identifier",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("folio_number", ""), _negated=True),
                fields=["folio_number", "-created_at"],
                name="invoice_folio",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(fields=["total", "-created_at"], name="invoice_total"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("status", "APPROVED")),
                fields=["created_at"],
                include=("payment_method", "id"),
                name="invoice_stale",
            ),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                condition=models.Q(("payment_method", "EFT"), ("status", "APPROVED")),
                fields=["overdue_date"],
                name="invoice_overdue",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "status__in",
                        [
                            "CREATED",
                            "APPROVED",
                            "SETTLEMENT_SCHED",
                            "PARTIAL_PAID",
                            "PAID",
                            "OVERDUE",
                            "REFUND_REQUESTED",
                            "REFUNDED",
                            "CREDITED",
                            "CANCELLED",
                            "MANUALLY_REFUNDED",
                            "CHARGEBACK",
                            "DELETE_ACCEPTED",
                            "DELETED",
                            "GL_UPDATED",
                            "GL_UPDATED_REFUND",
                        ],
                    )
                ),
                name="invoice_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("total__gte", 0),
                    ("service_fees__gte", 0),
                    ("gst__gte", 0),
                    ("paid_amount__gte", 0),
                    ("refunded_amount__gte", 0),
                    ("credited_amount__gte", 0),
                    ("manual_amount__gte", 0),
                    ("pending_amount__gte", 0),
                ),
                name="invoice_amounts_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(("paid_amount__lte", models.F("total"))), name="invoice_paid_within_total"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total__gte",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                django.db.models.expressions.CombinedExpression(
                                    models.F("refunded_amount"), "+", models.F("credited_amount")
                                ),
                                "+",
                                models.F("manual_amount"),
                            ),
                            "+",
                            models.F("pending_amount"),
                        ),
                    )
                ),
                name="invoice_undone_within_total",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("status", "PAID"), _negated=True),
                    models.Q(("payment_date__isnull", False), ("paid_amount", models.F("total"))),
                    _connector="OR",
                ),
                name="invoice_paid_has_date",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("status__in", ["CREATED", "APPROVED", "SETTLEMENT_SCHED", "PARTIAL_PAID", "OVERDUE"]),
                        _negated=True,
                    ),
                    ("payment_date__isnull", True),
                    _connector="OR",
                ),
                name="invoice_unpaid_has_no_date",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoice",
            constraint=models.UniqueConstraint(
                condition=models.Q(("business_key", ""), _negated=True),
                fields=("created_by", "business_key"),
                name="invoice_business_key",
            ),
        ),
        migrations.AddIndex(
            model_name="credit",
            index=models.Index(
                condition=models.Q(("applied_amount__lt", models.F("amount"))),
                fields=["account", "payment_method", "id"],
                name="credit_with_money_left",
            ),
        ),
        migrations.AddConstraint(
            model_name="credit",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="credit_amount_positive"),
        ),
        migrations.AddConstraint(
            model_name="credit",
            constraint=models.CheckConstraint(
                condition=models.Q(("applied_amount__gte", 0), ("applied_amount__lte", models.F("amount"))),
                name="credit_applied_within_amount",
            ),
        ),
        migrations.AddIndex(
            model_name="cardattempt",
            index=models.Index(
                condition=models.Q(("status", "CREATED")), fields=["started_at"], name="card_attempt_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="cardattempt",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "CREATED")), fields=("invoice",), name="card_attempt_one_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("base_fees__gte", 0),
                    ("priority_fees__gte", 0),
                    ("future_effective_fees__gte", 0),
                    ("service_fees__gte", 0),
                    ("statutory_gst__gte", 0),
                    ("service_gst__gte", 0),
                    ("total__gte", 0),
                    ("pst__gte", 0),
                    ("waived_fees__gte", 0),
                ),
                name="invoice_line_amounts_not_negative",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    (
                        "total",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("base_fees"), "+", models.F("priority_fees")
                            ),
                            "+",
                            models.F("future_effective_fees"),
                        ),
                    )
                ),
                name="invoice_line_total_is_sum",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(condition=models.Q(("quantity__gte", 1)), name="invoice_line_quantity"),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("total", 0),
                    models.Q(("gl_code__isnull", False), models.Q(("fee_gl", ""), _negated=True)),
                    _connector="OR",
                ),
                name="invoice_line_gl_when_charged",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(("undone_base_fees__gte", 0), ("undone_base_fees__lte", models.F("base_fees"))),
                name="invoice_line_undone_base_fees",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("undone_priority_fees__gte", 0), ("undone_priority_fees__lte", models.F("priority_fees"))
                ),
                name="invoice_line_undone_priority_fees",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("undone_future_effective_fees__gte", 0),
                    ("undone_future_effective_fees__lte", models.F("future_effective_fees")),
                ),
                name="invoice_line_undone_future_effective_fees",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("undone_service_fees__gte", 0), ("undone_service_fees__lte", models.F("service_fees"))
                ),
                name="invoice_line_undone_service_fees",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("undone_statutory_gst__gte", 0), ("undone_statutory_gst__lte", models.F("statutory_gst"))
                ),
                name="invoice_line_undone_statutory_gst",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoiceline",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("undone_service_gst__gte", 0), ("undone_service_gst__lte", models.F("service_gst"))
                ),
                name="invoice_line_undone_service_gst",
            ),
        ),
        migrations.AddConstraint(
            model_name="invoicereference",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "ACTIVE")), fields=("invoice",), name="invoice_reference_one_active"
            ),
        ),
        migrations.AddConstraint(
            model_name="invoicereference",
            constraint=models.CheckConstraint(
                condition=models.Q(("status__in", ["ACTIVE", "COMPLETED", "CANCELLED"])),
                name="invoice_reference_status_known",
            ),
        ),
        migrations.AddIndex(
            model_name="receipt",
            index=models.Index(fields=["receipt_number"], name="receipt_number"),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gte", 0)), name="receipt_amount_not_negative"
            ),
        ),
        migrations.AddConstraint(
            model_name="receipt",
            constraint=models.UniqueConstraint(
                condition=models.Q(("reverses__isnull", True)),
                fields=("invoice", "source", "receipt_number"),
                name="receipt_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="creditapplication",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="credit_application_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="creditapplication",
            constraint=models.UniqueConstraint(
                condition=models.Q(("application_id", ""), _negated=True),
                fields=("application_id", "invoice"),
                name="credit_application_once",
            ),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(fields=["-requested_at", "-id"], name="refund_requested"),
        ),
        migrations.AddIndex(
            model_name="refund",
            index=models.Index(
                condition=models.Q(("status__in", ["PENDING_APPROVAL", "PROCESSING"])),
                fields=["status", "requested_at"],
                name="refund_under_way",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="refund_amount_positive"),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("status__in", ["PENDING_APPROVAL", "DECLINED", "PROCESSING", "PROCESSED", "REFUSED"])
                ),
                name="refund_status_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_by", models.F("requested_by")), _negated=True),
                    ("decided_by", ""),
                    _connector="OR",
                ),
                name="refund_two_people",
            ),
        ),
        migrations.AddConstraint(
            model_name="refund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("needs_approval", False),
                    ("status", invoices.states.RefundStatus["PENDING_APPROVAL"]),
                    models.Q(("decided_at__isnull", False), models.Q(("decided_by", ""), _negated=True)),
                    _connector="OR",
                ),
                name="refund_approved_before_processed",
            ),
        ),
        migrations.AddIndex(
            model_name="outsidecall",
            index=models.Index(
                condition=models.Q(("status__in", ["PENDING", "SENT", "UNKNOWN"])),
                fields=["next_attempt_at"],
                name="outside_call_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="outsidecall",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "PREPAID_DEBIT")), fields=("invoice",), name="outside_call_one_debit"
            ),
        ),
        migrations.AddConstraint(
            model_name="outsidecall",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("kind", "CARD_REFUND"), _negated=True), ("refund__isnull", False), _connector="OR"
                ),
                name="outside_call_refund_named",
            ),
        ),
        migrations.AddConstraint(
            model_name="refundline",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount__gt", 0)), name="refund_line_amount_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="refundline",
            constraint=models.UniqueConstraint(fields=("refund", "line", "fee_type"), name="refund_line_once"),
        ),
        # Money that was applied is taken back by another row, never edited.
        AppendOnly("receipt"),
        AppendOnly("credit_application"),
        # Invoices change in place: room on their pages keeps a change of status from moving the row.
        migrations.RunSQL(
            "alter table invoice set (fillfactor = 85)", reverse_sql="alter table invoice reset (fillfactor)"
        ),
    ]
