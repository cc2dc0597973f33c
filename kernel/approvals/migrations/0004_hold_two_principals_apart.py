"""Makes the database hold whoever asked and whoever decided apart, people and API clients alike."""

from __future__ import annotations

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

from kernel.migrations import TimeLimits

FUNCTION = """
    create or replace function approval_request_stays() returns trigger language plpgsql as $refusal$
    begin
        if tg_op <> 'UPDATE' then
            raise exception 'Rows of approval_request are kept: %% is refused.', lower(tg_op)
                using errcode = 'restrict_violation', hint = 'Withdraw or refuse the request.';
        end if;
        if (new.id, new.kind, new.content, new.content_hash, new.summary, {asker_new}new.requested_by_id,
            new.requested_by, new.reason, new.ticket, new.requested_at, new.expires_at)
            is distinct from
            (old.id, old.kind, old.content, old.content_hash, old.summary, {asker_old}old.requested_by_id,
            old.requested_by, old.reason, old.ticket, old.requested_at, old.expires_at)
        then
            raise exception 'What was asked for in approval_request %% does not change.', old.id
                using errcode = 'restrict_violation', hint = 'Ask again: a new request has its own approval.';
        end if;
        if {decided}
            and ({decider_new}new.decided_by_id, new.decided_by, new.decided_at, new.decision_reason)
            is distinct from
            ({decider_old}old.decided_by_id, old.decided_by, old.decided_at, old.decision_reason)
        then
            raise exception 'Who decided approval_request %% does not change.', old.id
                using errcode = 'restrict_violation';
        end if;
        return new;
    end
    $refusal$;
""".replace("%%", "%")
WITH_KINDS = FUNCTION.format(
    asker_new="new.requested_by_kind, ",
    asker_old="old.requested_by_kind, ",
    decided="old.decided_by <> ''",
    decider_new="new.decided_by_kind, ",
    decider_old="old.decided_by_kind, ",
)
WITHOUT_KINDS = FUNCTION.format(
    asker_new="", asker_old="", decided="old.decided_by_id is not null", decider_new="", decider_old=""
)


class Migration(migrations.Migration):
    dependencies = [("approvals", "0003_name_kinds_of_principals")]

    operations = [
        TimeLimits(),
        migrations.RunSQL(WITH_KINDS, reverse_sql=WITHOUT_KINDS),
        migrations.RemoveConstraint("approvalrequest", "approval_request_two_people"),
        migrations.RemoveConstraint("approvalrequest", "approval_request_decided_by_somebody"),
        # New rows are held to them at once; those that are there are looked at by the next migration, without a lock
        # that would keep anybody waiting.
        AddConstraintNotValid(
            "approvalrequest",
            models.CheckConstraint(
                name="approval_request_two_principals",
                condition=models.Q(
                    ("decided_by", ""),
                    models.Q(
                        models.Q(("decided_by_id", models.F("requested_by_id")), _negated=True),
                        models.Q(
                            ("decided_by", models.F("requested_by")),
                            models.Q(
                                ("decided_by_kind", ""),
                                ("decided_by_kind", models.F("requested_by_kind")),
                                _connector="OR",
                            ),
                            _negated=True,
                        ),
                    ),
                    _connector="OR",
                ),
            ),
        ),
        AddConstraintNotValid(
            "approvalrequest",
            models.CheckConstraint(
                name="approval_request_decider_known",
                condition=models.Q(
                    models.Q(("status__in", ["approved", "executed", "refused"]), _negated=True),
                    models.Q(
                        models.Q(("decided_by", ""), _negated=True),
                        ("decided_at__isnull", False),
                        models.Q(
                            models.Q(("decided_by_id__isnull", True), ("decided_by_kind", "api_client")),
                            models.Q(("decided_by_id__isnull", False), ("decided_by_kind__in", ["", "staff"])),
                            _connector="OR",
                        ),
                    ),
                    _connector="OR",
                ),
            ),
        ),
        AddConstraintNotValid(
            "approvalrequest",
            models.CheckConstraint(
                name="approval_request_requester_known",
                condition=models.Q(
                    models.Q(("requested_by_id__isnull", True), ("requested_by_kind", "api_client")),
                    models.Q(("requested_by_id__isnull", False), ("requested_by_kind", "staff")),
                    _connector="OR",
                ),
            ),
        ),
    ]
