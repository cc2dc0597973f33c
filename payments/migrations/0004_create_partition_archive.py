from django.db import migrations, models

import payments.states
from kernel.migrations import TimeLimits

# What a detached or restored table of payments answers to everybody who would write to it.
READ_ONLY = """
create function payments_read_only() returns trigger language plpgsql as $refusal$
begin
    raise exception '% holds payments of an archived month and is only read: % is refused.',
        tg_table_name, lower(tg_op)
        using errcode = 'restrict_violation', hint = 'A payment of that month is recorded in payments, as any other.';
end
$refusal$;
"""

# A session that still believes in a month which was just taken out would have its row fall into the default partition.
# It is told to look again instead: a serialization failure is what every caller already repeats after.
REFUSE_ARCHIVED_MONTH = """
create function payments_default_guard() returns trigger language plpgsql as $guard$
begin
    if exists (
        select from partition_archive
        where month = date_trunc('month', new.payment_date at time zone 'UTC')::date
    ) then
        raise exception 'The month of a payment of % was taken out for the archive a moment ago.', new.payment_date
            using errcode = 'serialization_failure', constraint = 'payments_month_is_attached',
                hint = 'Make the partition of its month, then repeat.';
    end if;
    return new;
end
$guard$;
create trigger payments_default_guard before insert on payments_default
    for each row execute function payments_default_guard();
"""
ACCEPT_EVERY_MONTH = """
drop trigger payments_default_guard on payments_default;
drop function payments_default_guard();
"""
DROPPED = ("archived", "restored")


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_drop_pattern_indexes")]

    operations = [
        TimeLimits(),
        migrations.CreateModel(
            name="PartitionArchive",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("month", models.DateField(help_text="The first day of the month (UTC).")),
                ("part", models.PositiveSmallIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("detached", "Detached"),
                            ("written", "Written"),
                            ("verified", "Verified"),
                            ("archived", "Archived"),
                            ("restored", "Restored"),
                        ],
                        default=payments.states.ArchiveStatus["DETACHED"],
                        max_length=20,
                    ),
                ),
                ("status_since", models.DateTimeField()),
                (
                    "table_name",
                    models.CharField(help_text="The detached table; gone once it is archived.", max_length=63),
                ),
                (
                    "manifest",
                    models.JSONField(help_text="What the file holds; the file beside it says the same.", null=True),
                ),
                ("detached_at", models.DateTimeField()),
                ("verified_at", models.DateTimeField(null=True)),
                ("dropped_at", models.DateTimeField(null=True)),
                ("last_error", models.TextField(blank=True, db_default="", default="")),
            ],
            options={
                "verbose_name": "archived month",
                "verbose_name_plural": "partitions",
                "db_table": "partition_archive",
                "permissions": [
                    ("archive_partitions", "Can archive old months of payments"),
                    ("rehearse_archiving", "Can rehearse the archiving of old months"),
                    ("restore_archive", "Can restore an archived month for reading, and drop it again"),
                ],
                "default_permissions": ("view",),
                "constraints": [
                    models.UniqueConstraint(fields=("month", "part"), name="partition_archive_once"),
                    models.CheckConstraint(
                        condition=models.Q(status__in=["detached", "written", "verified", "archived", "restored"]),
                        name="partition_archive_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("status", "detached"), ("manifest__isnull", False), _connector="OR"),
                        name="partition_archive_written_has_manifest",
                    ),
                    models.CheckConstraint(
                        condition=(models.Q(dropped_at__isnull=True) & ~models.Q(status__in=DROPPED))
                        | (
                            models.Q(dropped_at__isnull=False)
                            & models.Q(verified_at__isnull=False)
                            & models.Q(status__in=DROPPED)
                        ),
                        name="partition_archive_dropped_is_verified",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(verified_at__isnull=True)
                        | models.Q(status__in=("verified", "archived", "restored")),
                        name="partition_archive_verified_when",
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="referencehistory",
            index=models.Index(fields=["payment_id"], name="idx_reference_history_payment"),
        ),
        migrations.RunSQL(READ_ONLY, "drop function payments_read_only();"),
        migrations.RunSQL(REFUSE_ARCHIVED_MONTH, ACCEPT_EVERY_MONTH),
    ]
