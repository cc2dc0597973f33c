"""Lets events be deleted that are retired together with their whole seal, and no others."""

from __future__ import annotations

from django.db import migrations

from kernel.migrations import TimeLimits

LET_GO = """
    create function outbox_event_retired_only() returns trigger language plpgsql as $refusal$
    begin
        if coalesce(current_setting('paymentsite.retirement', true), '') = '' then
            raise exception 'Rows of % are only ever added: % is refused.', tg_table_name, lower(tg_op)
                using errcode = 'restrict_violation', hint = 'Old events go by manage.py prune_history.';
        end if;
        if old.occurred_at > now() - interval '30 days' then
            raise exception 'Event % is too young to be retired.', old.position using errcode = 'restrict_violation';
        end if;
        -- A statement of its own, so that it sees what was queued while this row's lock was waited for.
        if exists (select from outbox_delivery where position = old.position) then
            raise exception 'Event % is queued: it cannot be retired.', old.position using errcode = 'restrict_violation';
        end if;
        return old;
    end
    $refusal$;
    create function outbox_event_retired_whole() returns trigger language plpgsql as $refusal$
    declare
        retiring uuid := nullif(current_setting('paymentsite.retirement', true), '')::uuid;
        covered int8multirange;
        recorded bigint;
        taken bigint;
        outside bigint;
    begin
        select coalesce(range_agg(seal.positions), '{}'), coalesce(sum(retirement.entry_count), 0)
        into covered, recorded
        from audit_retirement retirement
        join audit_seal seal on seal.sequence = retirement.seal_sequence and seal.source = retirement.source
        where retirement.operation = retiring and retirement.source = 'outbox_event';
        select count(*), count(*) filter (where not gone.position <@ covered) into taken, outside from gone;
        if taken > 0 and (outside > 0 or taken <> recorded) then
            raise exception '% events would go, % were recorded as retired.', taken, recorded
                using errcode = 'restrict_violation';
        end if;
        return null;
    end
    $refusal$;
    drop trigger outbox_event_no_delete on outbox_event;
    create trigger outbox_event_no_delete before delete on outbox_event
        for each row execute function outbox_event_retired_only();
    create trigger outbox_event_no_part after delete on outbox_event
        referencing old table as gone for each statement execute function outbox_event_retired_whole();
"""
KEEP_ALL = """
    drop trigger outbox_event_no_part on outbox_event;
    drop trigger outbox_event_no_delete on outbox_event;
    create trigger outbox_event_no_delete before delete on outbox_event
        for each row execute function outbox_event_append_only();
    drop function outbox_event_retired_whole();
    drop function outbox_event_retired_only();
"""


class Migration(migrations.Migration):
    dependencies = [("outbox", "0002_protect_events"), ("audit", "0002_create_retirement")]

    operations = [TimeLimits(), migrations.RunSQL(LET_GO, KEEP_ALL)]
