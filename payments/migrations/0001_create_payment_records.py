import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.db import migrations, models

import kernel.fields
import payments.states
from kernel.migrations import AppendOnly, TimeLimits

# The seed plan's table with its four indexes, in PostgreSQL's own partitioning. Differences, all additions: timestamps
# carry a zone, a currency, and which batch and row brought the payment.
CREATE_PAYMENTS = """
create table payments (
    id                  uuid           not null default gen_random_uuid(),
    reference_number    varchar(255)   not null,
    loan_account_number varchar(20)    not null,
    cif                 varchar(20)    not null,
    amount              numeric(15, 2) not null,
    currency            varchar(3)     not null,
    payment_date        timestamptz    not null,
    payment_channel     varchar(100),
    source              varchar(50)    not null,
    metadata            jsonb,
    source_batch_id     uuid,
    source_row_id       bigint,
    created_at          timestamptz    not null default now(),
    primary key (id, payment_date),
    constraint payments_amount_positive check (amount > 0 and amount <> 'NaN'),
    constraint payments_source_known
        check (source in ('staging', 'webhook', 'manual', 'settlement', 'deposit')),
    constraint payments_currency_is_a_code check (currency ~ '^[A-Z]{3}$')
) partition by range (payment_date);

create index idx_payments_reference on payments (reference_number);
create index idx_payments_loan_account on payments (loan_account_number, payment_date desc);
create index idx_payments_cif on payments (cif, payment_date desc);
create index idx_payments_created_at on payments (created_at);

-- The net under the monthly partitions. A row in it is an alarm: its month was not made in time.
create table payments_default partition of payments default;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="PaymentStaging",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("reference_number", models.CharField(max_length=255)),
                ("loan_account_number", models.CharField(max_length=20)),
                ("cif", models.CharField(max_length=20, verbose_name="CIF")),
                ("amount", kernel.fields.MoneyField(decimal_places=2, max_digits=15)),
                ("payment_date", kernel.fields.NaiveDateTimeField()),
                ("payment_channel", models.CharField(blank=True, max_length=100, null=True)),
                ("metadata", models.JSONField(blank=True, null=True)),
                ("processed", models.BooleanField(default=False, null=True)),
                ("processed_at", kernel.fields.NaiveDateTimeField(blank=True, null=True)),
                ("created_at", kernel.fields.NaiveDateTimeField(blank=True, null=True)),
            ],
            options={
                "verbose_name": "staged row",
                "db_table": "payment_staging",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Channel",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "slug",
                    models.CharField(
                        help_text="The last part of its address, after /api/v1/payments/webhook/.",
                        max_length=100,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9][a-z0-9-]*$", "Use lower-case letters, digits and hyphens."
                            )
                        ],
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("is_active", models.BooleanField(default=True)),
                (
                    "adapter",
                    models.CharField(default="generic", help_text="Which format its bodies have.", max_length=50),
                ),
                (
                    "mapping",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="For the configured format: our field name to the path in its body.",
                    ),
                ),
                ("currency", models.CharField(blank=True, help_text="Used when a body names none.", max_length=3)),
                (
                    "signature_scheme",
                    models.CharField(
                        choices=[("standard", "Standard"), ("plain", "Plain")],
                        default=payments.states.SignatureScheme["STANDARD_WEBHOOKS"],
                        max_length=20,
                    ),
                ),
                ("secret", kernel.fields.EncryptedTextField(help_text="The secret that signs now.")),
                ("previous_secret", kernel.fields.EncryptedTextField(blank=True, default="")),
                ("previous_secret_expires_at", models.DateTimeField(blank=True, null=True)),
                ("secret_rotated_at", models.DateTimeField(blank=True, null=True)),
                (
                    "allowed_networks",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=50),
                        blank=True,
                        default=list,
                        help_text="CIDR ranges; none means from anywhere.",
                        size=None,
                    ),
                ),
                (
                    "rate_limit_per_minute",
                    models.PositiveIntegerField(
                        default=60000,
                        help_text="Requests a minute from one address.",
                        validators=[django.core.validators.MinValueValidator(1)],
                    ),
                ),
                (
                    "clock_tolerance_seconds",
                    models.PositiveIntegerField(
                        default=300,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(3600),
                        ],
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "db_table": "channel",
                "permissions": [("rotate_channel_secret", "Can rotate a channel's secret")],
            },
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(CREATE_PAYMENTS, reverse_sql="drop table payments")],
            state_operations=[
                migrations.CreateModel(
                    name="Payment",
                    fields=[
                        ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                        ("reference_number", models.CharField(max_length=255)),
                        ("loan_account_number", models.CharField(max_length=20)),
                        ("cif", models.CharField(max_length=20, verbose_name="CIF")),
                        ("amount", kernel.fields.MoneyField(decimal_places=2, max_digits=15)),
                        ("currency", models.CharField(max_length=3)),
                        ("payment_date", models.DateTimeField()),
                        ("payment_channel", models.CharField(blank=True, max_length=100, null=True)),
                        (
                            "source",
                            models.CharField(
                                choices=[
                                    ("staging", "Staging"),
                                    ("webhook", "Webhook"),
                                    ("manual", "Manual"),
                                    ("settlement", "Settlement"),
                                    ("deposit", "Deposit"),
                                ],
                                max_length=50,
                            ),
                        ),
                        ("metadata", models.JSONField(blank=True, null=True)),
                        (
                            "source_batch_id",
                            models.UUIDField(
                                help_text="The process-log row or webhook receipt that brought it.", null=True
                            ),
                        ),
                        (
                            "source_row_id",
                            models.BigIntegerField(help_text="The staged row that brought it.", null=True),
                        ),
                        ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                    ],
                    options={
                        "db_table": "payments",
                        "permissions": [("record_manual_payment", "Can record a payment by hand")],
                    },
                ),
            ],
        ),
        AppendOnly("payments"),
        migrations.CreateModel(
            name="PaymentReference",
            fields=[
                ("reference_number", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("payment_id", models.UUIDField()),
                ("payment_date", models.DateTimeField()),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "db_table": "payment_references",
                "indexes": [models.Index(fields=["created_at"], name="idx_payment_refs_created")],
            },
        ),
        migrations.CreateModel(
            name="ReferenceConflict",
            fields=[
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("recorded", "Recorded"), ("dismissed", "Dismissed")],
                        db_default="open",
                        default=payments.states.ReviewStatus["OPEN"],
                        max_length=20,
                    ),
                ),
                ("status_since", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("resolved_by", models.CharField(blank=True, db_default="", max_length=150)),
                ("resolution_reason", models.TextField(blank=True, db_default="")),
                (
                    "corrected",
                    models.JSONField(help_text="The content that was recorded after the correction.", null=True),
                ),
                ("recorded_payment_id", models.UUIDField(null=True)),
                ("recorded_payment_date", models.DateTimeField(null=True)),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("reference_number", models.CharField(max_length=255)),
                ("payment_id", models.UUIDField(help_text="The payment that was recorded first.")),
                ("payment_date", models.DateTimeField()),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("staging", "Staging"),
                            ("webhook", "Webhook"),
                            ("manual", "Manual"),
                            ("settlement", "Settlement"),
                            ("deposit", "Deposit"),
                        ],
                        max_length=50,
                    ),
                ),
                ("payment_channel", models.CharField(blank=True, max_length=100, null=True)),
                ("batch_id", models.UUIDField(null=True)),
                ("staging_id", models.BigIntegerField(null=True)),
                (
                    "difference",
                    models.JSONField(help_text="[{field, recorded, received}], one entry a field that differs."),
                ),
                ("received", models.JSONField(help_text="The whole content as it came the second time.")),
                ("content_digest", models.CharField(max_length=32)),
                ("times_seen", models.IntegerField(db_default=1, default=1)),
                ("detected_at", models.DateTimeField()),
                ("last_seen_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "reference conflict",
                "db_table": "reference_conflict",
                "permissions": [
                    ("correct_conflict", "Can correct a conflicting notice and record it"),
                    ("dismiss_conflict", "Can dismiss a conflicting notice"),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "open")), fields=["detected_at"], name="idx_conflict_open"
                    ),
                    models.Index(fields=["-detected_at"], name="idx_conflict_when"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("reference_number", "content_digest"), name="reference_conflict_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status", "open"),
                            models.Q(
                                models.Q(("resolved_by", ""), _negated=True),
                                models.Q(("resolution_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="reference_conflict_decided_with_reason",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="StagingProcessLog",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("batch_start_id", models.BigIntegerField()),
                ("batch_end_id", models.BigIntegerField()),
                ("total_records", models.IntegerField()),
                ("processed_records", models.IntegerField(db_default=0, default=0)),
                ("duplicate_records", models.IntegerField(db_default=0, default=0)),
                ("conflict_records", models.IntegerField(db_default=0, default=0)),
                ("error_records", models.IntegerField(db_default=0, default=0)),
                (
                    "status",
                    models.CharField(
                        choices=[("processing", "Processing"), ("completed", "Completed"), ("failed", "Failed")],
                        db_default="processing",
                        max_length=50,
                    ),
                ),
                ("attempts", models.IntegerField(db_default=1, default=1)),
                ("started_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("completed_at", models.DateTimeField(null=True)),
                ("error_details", models.JSONField(null=True)),
            ],
            options={
                "verbose_name": "staging batch",
                "verbose_name_plural": "staging batches",
                "db_table": "staging_process_log",
                "permissions": [("ingest_staging", "Can start an ingestion of staged rows")],
                "indexes": [models.Index(fields=["-started_at"], name="idx_process_log_started")],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("status", "completed"), _negated=True),
                            (
                                "total_records",
                                django.db.models.expressions.CombinedExpression(
                                    django.db.models.expressions.CombinedExpression(
                                        django.db.models.expressions.CombinedExpression(
                                            models.F("processed_records"), "+", models.F("duplicate_records")
                                        ),
                                        "+",
                                        models.F("conflict_records"),
                                    ),
                                    "+",
                                    models.F("error_records"),
                                ),
                            ),
                            _connector="OR",
                        ),
                        name="staging_process_log_counts_add_up",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookReceipt",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("channel_slug", models.CharField(max_length=100)),
                ("receipt_key", models.CharField(max_length=255, null=True)),
                ("body_digest", models.CharField(max_length=64)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("created", "Created"),
                            ("duplicate", "Duplicate"),
                            ("conflict", "Conflict"),
                            ("refused", "Refused"),
                        ],
                        max_length=20,
                    ),
                ),
                ("status_code", models.PositiveSmallIntegerField()),
                ("problem_code", models.CharField(db_default="", max_length=60)),
                ("reference_number", models.CharField(db_default="", max_length=255)),
                ("payment_id", models.UUIDField(null=True)),
                ("payment_date", models.DateTimeField(null=True)),
                ("source_address", models.GenericIPAddressField(null=True)),
                ("request_id", models.CharField(db_default="", max_length=128)),
                ("received_at", models.DateTimeField()),
                ("duration_ms", models.DecimalField(decimal_places=2, max_digits=9, null=True)),
            ],
            options={
                "db_table": "webhook_receipt",
                "indexes": [models.Index(fields=["-received_at"], name="idx_receipt_received")],
                "constraints": [
                    models.UniqueConstraint(fields=("channel_slug", "receipt_key"), name="webhook_receipt_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="StagingDuplicate",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("staging_id", models.BigIntegerField()),
                ("reference_number", models.CharField(max_length=255)),
                ("payment_id", models.UUIDField()),
                ("payment_date", models.DateTimeField()),
                ("detected_at", models.DateTimeField()),
                (
                    "batch",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="payments.stagingprocesslog",
                    ),
                ),
            ],
            options={
                "db_table": "staging_duplicate",
                "indexes": [
                    models.Index(fields=["staging_id"], name="idx_staging_duplicate_row"),
                    models.Index(fields=["detected_at"], name="idx_staging_duplicate_seen"),
                ],
            },
        ),
        migrations.CreateModel(
            name="StagingRejection",
            fields=[
                (
                    "status",
                    models.CharField(
                        choices=[("open", "Open"), ("recorded", "Recorded"), ("dismissed", "Dismissed")],
                        db_default="open",
                        default=payments.states.ReviewStatus["OPEN"],
                        max_length=20,
                    ),
                ),
                ("status_since", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("resolved_by", models.CharField(blank=True, db_default="", max_length=150)),
                ("resolution_reason", models.TextField(blank=True, db_default="")),
                (
                    "corrected",
                    models.JSONField(help_text="The content that was recorded after the correction.", null=True),
                ),
                ("recorded_payment_id", models.UUIDField(null=True)),
                ("recorded_payment_date", models.DateTimeField(null=True)),
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("staging_id", models.BigIntegerField(null=True)),
                (
                    "origin",
                    models.CharField(
                        db_default="", help_text="File and line, when it never was staged.", max_length=255
                    ),
                ),
                ("reference_number", models.TextField(db_default="")),
                (
                    "reasons",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=60),
                        help_text="Codes; payments/rules.py has their sentences.",
                        size=None,
                    ),
                ),
                ("raw", models.JSONField(help_text="The row exactly as it came.")),
                ("rejected_at", models.DateTimeField()),
                (
                    "batch",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="payments.stagingprocesslog",
                    ),
                ),
            ],
            options={
                "verbose_name": "rejection",
                "db_table": "staging_rejection",
                "permissions": [
                    ("correct_rejection", "Can correct a rejected row and record it"),
                    ("dismiss_rejection", "Can dismiss a rejected row"),
                ],
                "indexes": [
                    models.Index(
                        condition=models.Q(("status", "open")), fields=["rejected_at"], name="idx_rejection_open"
                    ),
                    models.Index(fields=["-rejected_at"], name="idx_rejection_when"),
                    models.Index(fields=["staging_id"], name="idx_rejection_row"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("reasons__len__gt", 0)), name="staging_rejection_says_why"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status", "open"),
                            models.Q(
                                models.Q(("resolved_by", ""), _negated=True),
                                models.Q(("resolution_reason", ""), _negated=True),
                            ),
                            _connector="OR",
                        ),
                        name="staging_rejection_decided_with_reason",
                    ),
                ],
            },
        ),
    ]
