"""Who may do what: one matrix of permissions and roles. `manage.py sync_roles` makes the groups say the same."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.models import Group, Permission
from django.db import connection

from kernel.errors import Refused
from kernel.transactions import unit_of_work

ROLES = ("viewer", "operator", "approver", "administrator", "auditor")

# One line a permission, one column a role, in the order of ROLES: x may, . may not.
# Approvers look and decide: they do not operate, so that the same person is not tempted to do both.
MATRIX = """
    permission                                viewer  operator  approver  administrator  auditor
    payments.view_payment                       x        x         x            x           x
    payments.view_paymentreference              x        x         x            x           x
    payments.view_paymentstaging                x        x         x            x           x
    payments.view_stagingprocesslog             x        x         x            x           x
    payments.view_stagingduplicate              x        x         x            x           x
    payments.view_stagingrejection              x        x         x            x           x
    payments.view_referenceconflict             x        x         x            x           x
    payments.view_channel                       x        x         x            x           x
    payments.view_webhookreceipt                .        x         x            x           x
    payments.diagnose_signature                 .        x         .            x           .
    payments.ingest_staging                     .        x         .            x           .
    payments.record_manual_payment              .        x         .            .           .
    payments.correct_rejection                  .        x         .            .           .
    payments.dismiss_rejection                  .        x         .            .           .
    payments.correct_conflict                   .        x         .            .           .
    payments.dismiss_conflict                   .        x         .            .           .
    payments.add_channel                        .        .         .            x           .
    payments.change_channel                     .        .         .            x           .
    payments.rotate_channel_secret              .        .         .            x           .
    payments.view_partitionarchive              x        x         x            x           x
    payments.rehearse_archiving                 .        x         .            x           .
    payments.archive_partitions                 .        .         .            x           .
    payments.restore_archive                    .        x         .            x           .
    outbox.view_outboxevent                     x        x         x            x           x
    outbox.replay_event                         .        x         .            x           .
    outbox.view_outboxreplay                    x        x         x            x           x
    outbox.approve_replay                       .        .         x            .           .
    approvals.view_approvalrequest              .        x         x            x           x
    notes.view_note                             x        x         x            x           x
    notes.add_note                              .        x         x            x           .
    notes.strike_note                           .        x         .            x           .
    notes.view_attachment                       x        x         x            x           x
    notes.add_attachment                        .        x         x            x           .
    savedviews.view_savedview                   x        x         x            x           x
    savedviews.share_savedview                  .        x         .            x           .
    jobs.view_jobrun                            x        x         x            x           x
    jobs.request_job                            .        x         .            x           .
    jobs.cancel_job                             .        x         .            x           .
    invariants.view_invariantoutcome            x        x         x            x           x
    measurements.view_measurement               .        x         x            x           x
    audit.view_auditentry                       .        x         x            x           x
    audit.view_auditretirement                  .        x         x            x           x
    audit.view_auditseal                        .        .         .            x           x
    accounts.view_paymentaccount                x        x         x            x           x
    accounts.add_paymentaccount                 .        x         .            x           .
    accounts.change_paymentaccount              .        x         .            x           .
    accounts.close_account                      .        .         .            x           .
    accounts.lock_account                       .        x         .            .           .
    accounts.lift_lock                          .        x         .            .           .
    accounts.set_bank_details                   .        x         .            .           .
    accounts.accept_pad_terms                   .        x         .            .           .
    accounts.freeze_identity                    .        x         .            .           .
    accounts.reveal_bank_account                .        x         .            x           .
    accounts.set_account_fee                    .        .         .            x           .
    accounts.view_partner                       x        x         x            x           x
    accounts.add_partner                        .        .         .            x           .
    accounts.change_partner                     .        .         .            x           .
    catalogue.view_product                      x        x         x            x           x
    catalogue.view_filingtype                   x        x         x            x           x
    catalogue.view_feecode                      x        x         x            x           x
    catalogue.view_feeschedule                  x        x         x            x           x
    catalogue.view_glcode                       x        x         x            x           x
    catalogue.view_gllink                       x        x         x            x           x
    catalogue.view_taxrate                      x        x         x            x           x
    catalogue.add_product                       .        .         .            x           .
    catalogue.change_product                    .        .         .            x           .
    catalogue.add_filingtype                    .        .         .            x           .
    catalogue.change_filingtype                 .        .         .            x           .
    catalogue.add_feecode                       .        .         .            x           .
    catalogue.change_feecode                    .        .         .            x           .
    catalogue.add_feeschedule                   .        .         .            x           .
    catalogue.change_feeschedule                .        .         .            x           .
    catalogue.add_glcode                        .        .         .            x           .
    catalogue.change_glcode                     .        .         .            x           .
    catalogue.add_gllink                        .        .         .            x           .
    catalogue.change_gllink                     .        .         .            x           .
    catalogue.add_taxrate                       .        .         .            x           .
    catalogue.change_taxrate                    .        .         .            x           .
    catalogue.open_new_version                  .        .         .            x           .
    catalogue.import_catalogue                  .        .         .            x           .
    accounts.view_apiclient                     .        x         x            x           x
    accounts.view_apikey                        .        .         .            x           x
    accounts.add_apiclient                      .        .         .            x           .
    accounts.change_apiclient                   .        .         .            x           .
    accounts.issue_key                          .        .         .            x           .
    accounts.rotate_key                         .        .         .            x           .
    accounts.revoke_key                         .        .         .            x           .
    invoices.view_invoice                       x        x         x            x           x
    invoices.view_refund                        x        x         x            x           x
    invoices.view_credit                        x        x         x            x           x
    invoices.view_cardattempt                   x        x         x            x           x
    invoices.view_outsidecall                   x        x         x            x           x
    invoices.export_invoices                    .        x         .            x           x
    invoices.cancel_invoice                     .        x         .            .           .
    invoices.request_refund                     .        x         .            .           .
    invoices.approve_refund                     .        .         x            .           .
    invoices.record_manual_refund               .        x         .            .           .
    invoices.confirm_refund                     .        x         .            .           .
    invoices.apply_credit                       .        x         .            .           .
    invoices.record_chargeback                  .        x         .            .           .
    invoices.convert_invoice                    .        x         .            .           .
    invoices.ask_outside                        .        x         .            x           .
    django_celery_beat.view_periodictask        .        x         .            x           x
    django_celery_beat.add_periodictask         .        .         .            x           .
    django_celery_beat.change_periodictask      .        .         .            x           .
    django_celery_beat.view_intervalschedule    .        .         .            x           x
    django_celery_beat.add_intervalschedule     .        .         .            x           .
    django_celery_beat.view_crontabschedule     .        .         .            x           x
    django_celery_beat.add_crontabschedule      .        .         .            x           .
    auth.view_user                              .        .         .            x           x
    auth.add_user                               .        .         .            x           .
    auth.change_user                            .        .         .            x           .
    auth.view_group                             .        .         .            x           x
    axes.view_accessattempt                     .        .         .            x           x
    axes.view_accesslog                         .        .         .            x           x
    axes.view_accessfailurelog                  .        .         .            x           x
"""

# "role" in ASCII: two processes that start together take turns.
SYNC_LOCK = 0x726F6C65


class PermissionUnknown(Refused):
    """The matrix of roles names a permission that does not exist."""

    code = "permission-unknown"
    next_step = "Correct the name in paymentsite/roles.py, or migrate first."


class MatrixUnreadable(ValueError):
    """A line of the matrix is not a permission followed by one x or . for each role."""


@dataclass(frozen=True, slots=True)
class RoleChange:
    """What the synchronisation changed of one role."""

    role: str
    granted: tuple[str, ...]
    withdrawn: tuple[str, ...]


def permissions_by_role(matrix: str = MATRIX) -> dict[str, frozenset[str]]:
    """The matrix by role. Raises MatrixUnreadable naming the line."""
    header, *lines = [line.split() for line in matrix.strip().splitlines()]
    if tuple(header[1:]) != ROLES:
        raise MatrixUnreadable(f"The columns are {header[1:]}, and should be {list(ROLES)}.")
    granted: dict[str, set[str]] = {role: set() for role in ROLES}
    for permission, *marks in lines:
        if len(marks) != len(ROLES) or not set(marks) <= {"x", "."} or permission.count(".") != 1:
            raise MatrixUnreadable(f"Not a permission with {len(ROLES)} marks: {permission} {' '.join(marks)}")
        for role, mark in zip(ROLES, marks, strict=True):
            if mark == "x":
                granted[role].add(permission)
    return {role: frozenset(permissions) for role, permissions in granted.items()}


@unit_of_work
def sync_roles(matrix: str = MATRIX) -> list[RoleChange]:
    """Makes the groups of the five roles hold exactly the matrix; other groups are left alone. Repeating is harmless.

    Raises PermissionUnknown naming every permission that does not exist, and then changes nothing.
    """
    wanted = permissions_by_role(matrix)
    known = _known_permissions()
    unknown = sorted(set().union(*wanted.values()) - set(known))
    if unknown:
        raise PermissionUnknown(f"There is no permission {', '.join(unknown)}.", permissions=unknown)
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [SYNC_LOCK])
    changes = [_sync(role, wanted[role], known) for role in ROLES]
    return [change for change in changes if change.granted or change.withdrawn]


def _sync(role: str, wanted: frozenset[str], known: dict[str, Permission]) -> RoleChange:
    group, _ = Group.objects.get_or_create(name=role)
    held = {_dotted(permission) for permission in group.permissions.select_related("content_type")}
    if held != wanted:
        group.permissions.set([known[name] for name in wanted])
    return RoleChange(role, granted=tuple(sorted(wanted - held)), withdrawn=tuple(sorted(held - wanted)))


def _known_permissions() -> dict[str, Permission]:
    return {_dotted(permission): permission for permission in Permission.objects.select_related("content_type")}


def _dotted(permission: Permission) -> str:
    return f"{permission.content_type.app_label}.{permission.codename}"
