"""The tables of accounts, their locks and ledger identities, of partners, and what an API client may reach."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.db.models.lookups
from django.db import migrations, models

import kernel.fields
from kernel.migrations import TimeLimits


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_create_api_clients"),
    ]

    operations = [
        TimeLimits(),
        migrations.AddField(
            model_name="apiclient",
            name="all_accounts",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="apiclient",
            name="all_products",
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.CreateModel(
            name="Partner",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("code", models.CharField(max_length=10, unique=True)),
                ("name", models.CharField(max_length=250)),
                (
                    "kind",
                    models.CharField(
                        choices=[("GOVERNMENT", "Government"), ("NON_GOVERNMENT", "Outside government")], max_length=15
                    ),
                ),
                (
                    "supplier_number",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="Under which accounts payable knows it.",
                        max_length=30,
                    ),
                ),
                ("supplier_site", models.CharField(blank=True, db_default="", default="", max_length=30)),
                ("active", models.BooleanField(db_default=True, default=True)),
            ],
            options={
                "db_table": "partner",
                "default_permissions": ("view", "add", "change"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["GOVERNMENT", "NON_GOVERNMENT"])), name="partner_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("kind", "GOVERNMENT"),
                            models.Q(
                                models.Q(("supplier_number", ""), _negated=True),
                                models.Q(("supplier_site", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="partner_outside_government_has_supplier",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="PaymentAccount",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("account_number", models.CharField(max_length=50, unique=True)),
                ("name", models.CharField(max_length=250)),
                ("branch_name", models.CharField(blank=True, db_default="", default="", max_length=250)),
                (
                    "payment_method",
                    models.CharField(
                        choices=[
                            ("PAD", "Pre-authorised debit (PAD)"),
                            ("EFT", "Electronic funds transfer (EFT)"),
                            ("EJV", "Journal voucher (EJV)"),
                            ("ONLINE_BANKING", "Online banking"),
                            ("DIRECT_PAY", "Card"),
                            ("CC", "Card for a ledger invoice (CC)"),
                            ("DRAWDOWN", "Prepaid drawdown"),
                            ("INTERNAL", "Internal"),
                        ],
                        max_length=15,
                    ),
                ),
                ("prepaid_user_id", models.CharField(blank=True, db_default="", default="", max_length=50)),
                ("prepaid_account", models.CharField(blank=True, db_default="", default="", max_length=50)),
                (
                    "billable",
                    models.BooleanField(
                        db_default=True,
                        default=True,
                        help_text="Off: its journal vouchers are settled outside, and no file is made.",
                    ),
                ),
                ("eft_enabled", models.BooleanField(db_default=False, default=False)),
                (
                    "journal_restricted",
                    models.BooleanField(
                        db_default=False, default=False, help_text="On: no new invoice may be paid by journal voucher."
                    ),
                ),
                (
                    "statement_frequency",
                    models.CharField(
                        choices=[("DAILY", "Daily"), ("WEEKLY", "Weekly"), ("MONTHLY", "Monthly")],
                        db_default="WEEKLY",
                        default="WEEKLY",
                        max_length=10,
                    ),
                ),
                ("statement_notification_enabled", models.BooleanField(db_default=False, default=False)),
                (
                    "pad_activates_at",
                    models.DateTimeField(blank=True, help_text="No debit is drawn before.", null=True),
                ),
                ("pad_terms_accepted_at", models.DateTimeField(blank=True, null=True)),
                ("pad_terms_accepted_by", models.CharField(blank=True, db_default="", default="", max_length=150)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "account",
                "db_table": "payment_account",
                "permissions": [
                    ("close_account", "Can close an account"),
                    ("set_account_fee", "Can set what an account is charged differently"),
                ],
                "default_permissions": ("view", "add", "change"),
                "indexes": [
                    models.Index(fields=["payment_method", "-id"], name="payment_account_by_method"),
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True), ("pad_activates_at__isnull", False)),
                        fields=["pad_activates_at"],
                        name="payment_account_pad_due",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "payment_method__in",
                                ["PAD", "EFT", "EJV", "ONLINE_BANKING", "DIRECT_PAY", "CC", "DRAWDOWN", "INTERNAL"],
                            )
                        ),
                        name="payment_account_method_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("statement_frequency__in", ["DAILY", "WEEKLY", "MONTHLY"])),
                        name="payment_account_frequency_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("payment_method", "EFT"), _negated=True),
                            ("statement_frequency", "MONTHLY"),
                            _connector="OR",
                        ),
                        name="payment_account_eft_is_monthly",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("pad_terms_accepted_at__isnull", True), ("pad_terms_accepted_by", "")),
                            models.Q(
                                ("pad_terms_accepted_at__isnull", False),
                                models.Q(("pad_terms_accepted_by", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="payment_account_terms_accepted_by_somebody",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("account_number", ""), _negated=True), models.Q(("name", ""), _negated=True)
                        ),
                        name="payment_account_has_number_and_name",
                    ),
                ],
            },
        ),
        migrations.AddField(
            model_name="apiclient",
            name="accounts",
            field=models.ManyToManyField(
                blank=True, db_table="api_client_account", related_name="api_clients", to="accounts.paymentaccount"
            ),
        ),
        migrations.CreateModel(
            name="LedgerIdentity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "payment_method",
                    models.CharField(
                        choices=[
                            ("PAD", "Pre-authorised debit (PAD)"),
                            ("EFT", "Electronic funds transfer (EFT)"),
                            ("EJV", "Journal voucher (EJV)"),
                            ("ONLINE_BANKING", "Online banking"),
                            ("DIRECT_PAY", "Card"),
                            ("CC", "Card for a ledger invoice (CC)"),
                            ("DRAWDOWN", "Prepaid drawdown"),
                            ("INTERNAL", "Internal"),
                        ],
                        max_length=15,
                    ),
                ),
                ("party", models.CharField(blank=True, db_default="", default="", max_length=50)),
                ("ledger_account", models.CharField(blank=True, db_default="", default="", max_length=50)),
                ("site", models.CharField(blank=True, db_default="", default="", max_length=50)),
                ("payment_instrument_number", models.CharField(blank=True, db_default="", default="", max_length=50)),
                ("contact_party", models.CharField(blank=True, db_default="", default="", max_length=50)),
                ("bank_number", models.CharField(blank=True, db_default="", default="", max_length=4)),
                ("bank_branch_number", models.CharField(blank=True, db_default="", default="", max_length=5)),
                ("bank_account_number", kernel.fields.EncryptedTextField(blank=True, db_default="", default="")),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("PENDING", "Pending"),
                            ("PENDING_PAD_ACTIVATION", "Pending PAD activation"),
                            ("ACTIVE", "Active"),
                            ("FREEZE", "Frozen"),
                            ("INACTIVE", "Inactive"),
                        ],
                        db_default="PENDING",
                        default="PENDING",
                        max_length=25,
                    ),
                ),
                ("status_since", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="ledger_identities",
                        to="accounts.paymentaccount",
                    ),
                ),
            ],
            options={
                "verbose_name": "ledger identity",
                "verbose_name_plural": "ledger identities",
                "db_table": "ledger_identity",
                "permissions": [
                    ("set_bank_details", "Can set the bank details of an account"),
                    ("reveal_bank_account", "Can see a bank account number whole"),
                    ("accept_pad_terms", "Can record that an account accepted the terms of pre-authorised debit"),
                    ("freeze_identity", "Can freeze and unfreeze a ledger identity"),
                ],
                "default_permissions": ("view",),
                "indexes": [models.Index(fields=["status", "status_since"], name="ledger_identity_by_status")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("status", "INACTIVE"), _negated=True),
                        fields=("account", "payment_method"),
                        name="ledger_identity_one_live",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["PENDING", "PENDING_PAD_ACTIVATION", "ACTIVE", "FREEZE", "INACTIVE"])
                        ),
                        name="ledger_identity_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("bank_branch_number", ""),
                                ("bank_number", ""),
                                django.db.models.lookups.Exact(
                                    django.db.models.functions.text.Length("bank_account_number"), 0
                                ),
                            ),
                            models.Q(
                                ("bank_branch_number__regex", "^[0-9]{5}$"),
                                ("bank_number__regex", "^[0-9]{3,4}$"),
                                django.db.models.lookups.GreaterThan(
                                    django.db.models.functions.text.Length("bank_account_number"), 0
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="ledger_identity_bank_details_whole",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AccountLock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("NSF", "Not sufficient funds (NSF)"), ("OVERDUE_EFT", "Overdue EFT invoice")],
                        max_length=15,
                    ),
                ),
                ("cause", models.TextField()),
                (
                    "invoice_id",
                    models.BigIntegerField(blank=True, help_text="The invoice that bounced or is overdue.", null=True),
                ),
                ("locked_at", models.DateTimeField()),
                ("locked_by", models.CharField(max_length=150)),
                ("lifted_at", models.DateTimeField(blank=True, null=True)),
                ("lifted_by", models.CharField(blank=True, db_default="", default="", max_length=150)),
                ("lifted_reason", models.TextField(blank=True, db_default="", default="")),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="locks", to="accounts.paymentaccount"
                    ),
                ),
            ],
            options={
                "verbose_name": "lock",
                "db_table": "account_lock",
                "permissions": [
                    ("lock_account", "Can lock an account"),
                    ("lift_lock", "Can lift the lock of an account"),
                ],
                "default_permissions": ("view",),
                "indexes": [
                    models.Index(
                        condition=models.Q(("lifted_at__isnull", True)), fields=["locked_at"], name="account_lock_live"
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("lifted_at__isnull", True)),
                        fields=("account", "kind"),
                        name="account_lock_one_live",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["NSF", "OVERDUE_EFT"])), name="account_lock_kind_known"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("cause", ""), _negated=True), models.Q(("locked_by", ""), _negated=True)
                        ),
                        name="account_lock_says_why",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("lifted_at__isnull", True), ("lifted_by", ""), ("lifted_reason", "")),
                            models.Q(
                                ("lifted_at__isnull", False),
                                models.Q(("lifted_by", ""), _negated=True),
                                models.Q(("lifted_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="account_lock_lifted_with_reason",
                    ),
                ],
            },
        ),
    ]
