"""Makes the database itself refuse to change what was asked for, or who decided."""

from __future__ import annotations

from django.db import migrations

from kernel.migrations import TimeLimits

PROTECT = """
    create function approval_request_stays() returns trigger language plpgsql as $refusal$
    begin
        if tg_op <> 'UPDATE' then
            raise exception 'Rows of approval_request are kept: % is refused.', lower(tg_op)
                using errcode = 'restrict_violation', hint = 'Withdraw or refuse the request.';
        end if;
        if (new.id, new.kind, new.content, new.content_hash, new.summary, new.requested_by_id, new.requested_by,
            new.reason, new.ticket, new.requested_at, new.expires_at)
            is distinct from
            (old.id, old.kind, old.content, old.content_hash, old.summary, old.requested_by_id, old.requested_by,
            old.reason, old.ticket, old.requested_at, old.expires_at)
        then
            raise exception 'What was asked for in approval_request % does not change.', old.id
                using errcode = 'restrict_violation', hint = 'Ask again: a new request has its own approval.';
        end if;
        if old.decided_by_id is not null
            and (new.decided_by_id, new.decided_by, new.decided_at, new.decision_reason)
            is distinct from (old.decided_by_id, old.decided_by, old.decided_at, old.decision_reason)
        then
            raise exception 'Who decided approval_request % does not change.', old.id
                using errcode = 'restrict_violation';
        end if;
        return new;
    end
    $refusal$;
    create trigger approval_request_stays before update or delete on approval_request
        for each row execute function approval_request_stays();
    create trigger approval_request_no_truncate before truncate on approval_request
        for each statement execute function approval_request_stays();
"""
RELEASE = """
    drop trigger approval_request_no_truncate on approval_request;
    drop trigger approval_request_stays on approval_request;
    drop function approval_request_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_create_approval_request")]

    operations = [TimeLimits(), migrations.RunSQL(PROTECT, reverse_sql=RELEASE)]
