"""Keys are changed row by row, again and again if need be, and no value is lost on the way."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.fixtures import Settings

from accounts.models import LedgerIdentity, PaymentAccount
from kernel.audit.models import AuditEntry
from kernel.crypto import is_under_newest_key
from kernel.fieldkeys import columns
from kernel.fieldkeys.columns import encrypted_columns
from kernel.fieldkeys.operations import Rotation, rotate_field_keys
from kernel.jobs.models import JobRun
from payments.models import Channel

OLD, NEW, OTHER = (Fernet.generate_key().decode() for _ in range(3))
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _old_key(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OLD]


def identities(count: int, *, first: int = 0) -> list[int]:
    made = []
    for number in range(first, first + count):
        account = PaymentAccount.objects.create(account_number=f"A-{number}", name="Payer", payment_method="PAD")
        identity = LedgerIdentity.objects.create(
            account=account,
            payment_method="PAD",
            bank_number="001",
            bank_branch_number="00020",
            bank_account_number=f"55{number:05d}",
        )
        made.append(identity.pk)
    return made


def tokens() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute("select bank_account_number from ledger_identity where bank_account_number <> '' order by id")
        return [token for (token,) in cursor.fetchall()]


def test_every_encrypted_column_of_every_app_is_found() -> None:
    found = {str(column) for column in encrypted_columns()}

    assert {"channel.secret", "channel.previous_secret", "ledger_identity.bank_account_number"} <= found


def test_what_the_old_key_holds_is_moved_under_the_new_one_in_chunks(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "CHUNK_ROWS", 3)
    identities(7)
    Channel.objects.create(slug="till", name="Till", secret="whsec_one")
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    seen: list[int] = []

    rotation = rotate_field_keys(on_progress=lambda reached: seen.append(reached.seen))

    assert (rotation.rotated, rotation.already, rotation.unreadable) == (8, 0, 0)
    assert seen == [1, 4, 7, 8]
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert all(is_under_newest_key(token) for token in tokens())
    numbers = LedgerIdentity.objects.order_by("pk").values_list("bank_account_number", flat=True)
    assert list(numbers) == [f"55{number:05d}" for number in range(7)]
    assert Channel.objects.get().secret == "whsec_one"


def test_a_second_run_finds_nothing_to_do(settings: Settings) -> None:
    identities(2)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    rotate_field_keys()
    before = tokens()

    again = rotate_field_keys()

    assert (again.rotated, again.already) == (0, 2)
    assert tokens() == before


def test_a_run_that_was_stopped_is_begun_again_and_finishes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(columns, "CHUNK_ROWS", 2)
    identities(6)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]

    def stop(reached: Rotation) -> None:
        if reached.seen == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rotate_field_keys(on_progress=stop)
    assert [is_under_newest_key(token) for token in tokens()] == [True] * 4 + [False] * 2

    rest = rotate_field_keys()

    assert (rest.rotated, rest.already) == (2, 4)
    assert all(is_under_newest_key(token) for token in tokens())


def test_a_row_that_no_key_opens_is_named_and_left_as_it_is(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    [lost] = identities(1)
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    identities(2, first=1)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    before = tokens()[0]

    rotation = rotate_field_keys()

    assert (rotation.rotated, rotation.unreadable) == (2, 1)
    assert rotation.unreadable_rows == [f"ledger_identity.bank_account_number of row {lost}"]
    assert tokens()[0] == before


def test_a_value_that_was_changed_meanwhile_is_not_overwritten(settings: Settings) -> None:
    [key] = identities(1)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    [column] = [column for column in encrypted_columns() if column.table == "ledger_identity"]
    [(_, token)] = next(column.chunks())
    LedgerIdentity.objects.filter(pk=key).update(bank_account_number="9990001")

    assert column.exchange([(key, token, "something else")]) == 0

    assert LedgerIdentity.objects.get().bank_account_number == "9990001"


@pytest.mark.django_db(transaction=True)
def test_the_command_counts_and_keeps_a_run_and_an_entry(settings: Settings) -> None:
    identities(2)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    written = StringIO()

    call_command("rotate_field_keys", stdout=written)

    assert [line.split(maxsplit=1) for line in written.getvalue().splitlines()] == [
        ["2", "encrypted anew"],
        ["0", "under the newest key already"],
        ["0", "not readable with any key"],
    ]
    run: Any = JobRun.objects.get()
    assert (run.status, run.done, run.total, run.result["rotated"]) == ("succeeded", 2, 2, 2)
    entry: Any = AuditEntry.objects.get(action="field-keys.rotated")
    assert (entry.object_id, entry.after["rotated"]) == (str(run.pk), 2)


@pytest.mark.django_db(transaction=True)
def test_the_command_fails_naming_what_it_could_not_read(settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [OTHER]
    [lost] = identities(1)
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]

    with pytest.raises(CommandError, match=f"ledger_identity.bank_account_number of row {lost}") as failure:
        call_command("rotate_field_keys", stdout=StringIO())

    assert "5500000" not in str(failure.value)
