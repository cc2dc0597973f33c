from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ClassVar

import pytest
from cryptography.fernet import Fernet
from django.contrib import admin
from django.contrib.admin.utils import display_for_field
from django.core.exceptions import FieldError, ValidationError
from django.db import connection, models
from django.forms import modelform_factory
from django.test import RequestFactory, override_settings
from django.test.utils import isolate_apps
from hypothesis import given
from hypothesis import strategies as st
from pytest_django.fixtures import Settings

from kernel.crypto import SecretUnreadable
from kernel.fields import EncryptedTextField, MoneyField, NaiveDateTimeField, PositionsField, as_ranges

with isolate_apps("paymentsite"):

    class Sample(models.Model):
        """A model of this test alone; its table lives as long as one test."""

        written_at = NaiveDateTimeField(null=True, blank=True)
        secret = EncryptedTextField(null=True, blank=True)
        amount = MoneyField(default=Decimal("1.00"))
        positions = PositionsField(default=list, editable=False)

        objects: ClassVar[models.Manager[Any]] = models.Manager()

        class Meta:
            app_label = "paymentsite"
            db_table = "kernel_fields_sample"

        def __str__(self) -> str:
            return f"sample {self.pk}"


AT = datetime(2026, 3, 8, 2, 30, 15, 123456)


@pytest.fixture
def _sample_table(db: None) -> Iterator[None]:
    with connection.schema_editor() as editor:
        editor.create_model(Sample)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _raw(column: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"select {column} from kernel_fields_sample")
        return cursor.fetchone()[0]


@pytest.mark.usefixtures("_sample_table")
def test_a_time_without_zone_stays_as_it_is_both_ways() -> None:
    sample = Sample.objects.create(written_at=AT)
    assert _raw("written_at") == AT
    assert _raw("pg_typeof(written_at)::text") == "timestamp without time zone"
    with override_settings(TIME_ZONE="America/Vancouver"):
        sample.refresh_from_db()
        assert sample.written_at == AT
        assert Sample.objects.filter(written_at=AT, written_at__gte=AT, written_at__lt=datetime(2026, 3, 9)).exists()


@pytest.mark.usefixtures("_sample_table")
def test_a_time_without_zone_can_be_updated_in_bulk_and_compared_by_range() -> None:
    samples = Sample.objects.bulk_create([Sample(written_at=AT), Sample(written_at=None)])
    samples[1].written_at = datetime(2026, 3, 9)
    assert Sample.objects.bulk_update(samples, ["written_at"]) == 2
    assert Sample.objects.filter(written_at__range=(AT, datetime(2026, 3, 9))).count() == 2
    assert Sample.objects.update(written_at=AT) == 2


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("2026-03-08 02:30:15.123456", AT),
        ("2026-03-08T02:30:15.123456", AT),
        ("2026-03-08", datetime(2026, 3, 8)),
        (date(2026, 3, 8), datetime(2026, 3, 8)),
        (AT, AT),
        ("", None),
        (None, None),
    ],
)
def test_dates_and_text_become_a_time_without_zone(given: object, kept: datetime | None) -> None:
    assert NaiveDateTimeField().to_python(given) == kept


@pytest.mark.parametrize("given", [AT.replace(tzinfo=UTC), "2026-03-08T02:30:15Z", "2026-02-30 10:00", "soon", 7])
def test_a_time_with_a_zone_or_no_time_at_all_is_refused(given: object) -> None:
    with pytest.raises(ValidationError):
        NaiveDateTimeField().to_python(given)


def test_a_time_without_zone_cannot_come_from_the_clock() -> None:
    with pytest.raises(ValueError, match="clock"):
        NaiveDateTimeField(auto_now_add=True)


def test_the_admin_shows_and_reads_a_time_without_zone_as_it_is() -> None:
    model_admin = admin.ModelAdmin(Sample, admin.AdminSite())
    field = Sample._meta.get_field("written_at")
    with override_settings(TIME_ZONE="America/Vancouver"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "2:30" in display_for_field(AT, field, "-")
        form_class = model_admin.get_form(RequestFactory().get("/"))
        form = form_class(instance=Sample(written_at=AT))
        assert 'value="2026-03-08 02:30:15.123456"' in str(form["written_at"])
        changed = form_class({"written_at": "2026-03-08 02:30", "amount": "1"})
        assert changed.is_valid()
        assert changed.cleaned_data["written_at"] == datetime(2026, 3, 8, 2, 30)


def test_a_form_refuses_a_time_with_a_zone() -> None:
    form = modelform_factory(Sample, fields=["written_at"])({"written_at": "2026-03-08T02:30:00+01:00"})
    assert form.errors == {"written_at": ["A date and time without a zone is wanted here."]}


@pytest.mark.usefixtures("_sample_table")
def test_a_secret_is_stored_as_a_token_and_read_as_text() -> None:
    sample = Sample.objects.create(secret="whsec_ünsafe")
    assert _raw("secret").startswith("gAAAA")
    sample.refresh_from_db()
    assert sample.secret == "whsec_ünsafe"
    Sample.objects.update(secret="second")
    assert _raw("secret").startswith("gAAAA")
    sample.secret = "third"
    Sample.objects.bulk_update([sample], ["secret"])
    assert _raw("secret").startswith("gAAAA")
    assert Sample.objects.values_list("secret", flat=True).get() == "third"


@pytest.mark.usefixtures("_sample_table")
@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_secret_stays_empty(empty: str | None) -> None:
    sample = Sample.objects.create(secret=empty)
    assert _raw("secret") == empty
    sample.refresh_from_db()
    assert sample.secret == empty
    assert Sample.objects.filter(secret__isnull=empty is None).count() == 1


@pytest.mark.usefixtures("_sample_table")
def test_a_secret_under_a_lost_key_says_so_and_stays_stored(settings: Settings) -> None:
    Sample.objects.create(secret="first")
    token = _raw("secret")
    settings.FIELD_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SecretUnreadable):
        Sample.objects.get()
    assert _raw("secret") == token


@pytest.mark.parametrize("lookup", ["secret", "secret__icontains", "secret__in", "secret__gt"])
def test_a_secret_cannot_be_searched(lookup: str) -> None:
    with pytest.raises(FieldError, match="Unsupported lookup"):
        Sample.objects.filter(**{lookup: "first"})


@pytest.mark.usefixtures("_sample_table")
def test_money_is_numeric_15_2_and_decimal() -> None:
    sample = Sample.objects.create(amount=Decimal("9999999999999.99"))
    sample.refresh_from_db()
    assert sample.amount == Decimal("9999999999999.99")
    assert isinstance(sample.amount, Decimal)
    assert MoneyField().db_type(connection) == "numeric(15, 2)"


def test_money_refuses_a_float() -> None:
    with pytest.raises(ValidationError, match="float"):
        MoneyField().to_python(1.5)


@pytest.mark.usefixtures("_sample_table")
@pytest.mark.parametrize("written", [{1, 2, 3, 7}, [7, 3, 2, 1], "{[1,4),[7,8)}", as_ranges([1, 2, 3, 7])])
def test_positions_are_written_from_numbers_or_text_and_read_as_text(written: Any) -> None:
    sample = Sample.objects.create(positions=written)
    Sample.objects.bulk_create([Sample(positions=written), Sample()])

    assert _raw("pg_typeof(positions)::text") == "int8multirange"
    assert list(Sample.objects.order_by("pk").values_list("positions", flat=True)) == [
        "{[1,4),[7,8)}",
        "{[1,4),[7,8)}",
        "{}",
    ]
    sample.refresh_from_db()
    sample.save()
    assert Sample.objects.get(pk=sample.pk).positions == "{[1,4),[7,8)}"


@pytest.mark.usefixtures("_sample_table")
def test_positions_are_found_by_each_number_that_they_hold() -> None:
    Sample.objects.create(positions=[1, 2, 3, 7])

    found = [number for number in range(10) if Sample.objects.filter(positions__holds=number).exists()]

    assert found == [1, 2, 3, 7]


@given(st.sets(st.integers(min_value=1, max_value=60)))
def test_positions_become_ranges_that_hold_exactly_them(positions: set[int]) -> None:
    ranges = [(one.lower or 0, one.upper or 0) for one in as_ranges(positions)]
    assert {position for lower, upper in ranges for position in range(lower, upper)} == positions
    assert all(left[1] < right[0] for left, right in itertools.pairwise(ranges))


def test_the_fields_describe_themselves_to_migrations() -> None:
    money = (MoneyField(), MoneyField(max_digits=19))
    for field in (NaiveDateTimeField(null=True), EncryptedTextField(), *money, PositionsField()):
        _, path, args, kwargs = field.deconstruct()
        assert path.startswith("kernel.fields.")
        assert type(field)(*args, **kwargs).deconstruct()[1:] == (path, args, kwargs)
