"""What makes two references equal: one answer, whichever of the ways in each of the two took."""

from __future__ import annotations

import itertools
import unicodedata
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from payments.limits import notice_limits
from payments.models import Payment, StagingRejection
from payments.notices import NoticeInvalid, read_notice
from payments.operations.staging import record_chunk
from tests.payments.staged import AT, a_row, count, everything_counted, prepare_staging, stage
from tests.payments.webhooks import body_of, make_channel, post, raw

pytestmark = pytest.mark.django_db(transaction=True)
PAID_AT = "2026-11-20T16:00:00Z"
EQUAL = {
    "blanks around": ("REF-1", " \t\r\n REF-1\r\n"),
    "forms NFC and NFD": ("R\u00c9F-1", "RE\u0301F-1"),
    "the order of accents": ("e\u0323\u0302", "e\u0302\u0323"),
    "the sign for ohm and omega": ("\u2126-1", "\u03a9-1"),
    "the sign for angstrom": ("\u212b", "A\u030a"),
    "Hangul syllables and their letters": ("\uac01", "\u1100\u1161\u11a8"),
}
DIFFERENT = {
    "capital and small letters": ("REF-1", "ref-1"),
    "leading zeros": ("0417", "417"),
    "a blank inside": ("REF 1", "REF1"),
    "two blanks inside": ("REF  1", "REF 1"),
    "full-width digits": ("REF-1", "REF-\uff11"),
    "a ligature": ("\ufb01", "fi"),
    "Latin and Cyrillic letters that look alike": ("A-1", "\u0410-1"),
    "sharp s": ("stra\u00dfe", "strasse"),
    "hyphens of two kinds": ("REF-1", "REF\u20101"),
}


@pytest.fixture(autouse=True)
def _ways_in() -> None:
    prepare_staging()
    make_channel()


_numbers = itertools.count(1)


def by_webhook(reference: str) -> str:
    body = body_of(
        reference_number=reference, loan_account_number="LN100", cif="CIF7", amount="120.50", payment_date=PAID_AT
    )
    return {201: "recorded", 200: "duplicate"}.get(
        post(raw(body), webhook_id=f"msg_{next(_numbers)}").status_code, "refused"
    )


def by_staging(reference: str) -> str:
    stage(a_row(reference, payment_date="2026-11-20 16:00:00"))
    before = everything_counted()
    assert record_chunk(batch_size=10, after_id=0, attempt=1, at=AT) is not None
    after = everything_counted()
    names = {"payments": "recorded", "staging_duplicate": "duplicate", "staging_rejection": "refused"}
    [outcome] = [word for table, word in names.items() if after[table] == before[table] + 1]
    return outcome


WAYS: dict[str, Any] = {"webhook": by_webhook, "staging": by_staging}


@pytest.fixture(autouse=True)
def _staging_zone(settings: Any) -> None:
    settings.STAGING_ZONE = ZoneInfo("UTC")


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("name", EQUAL)
def test_equal_references_are_one_payment_whatever_way_each_came(name: str, first: str, second: str) -> None:
    one, other = EQUAL[name]
    assert (WAYS[first](one), WAYS[second](other)) == ("recorded", "duplicate")
    assert Payment.objects.get().reference_number == unicodedata.normalize("NFC", one)
    assert count("payment_references") == 1


@pytest.mark.parametrize("second", WAYS)
@pytest.mark.parametrize("first", WAYS)
@pytest.mark.parametrize("name", DIFFERENT)
def test_different_references_are_two_payments_whatever_way_each_came(name: str, first: str, second: str) -> None:
    one, other = DIFFERENT[name]
    assert (WAYS[first](one), WAYS[second](other)) == ("recorded", "recorded")
    assert {payment.reference_number for payment in Payment.objects.all()} == {one, other}


@pytest.mark.parametrize(
    "reference",
    ["", " \t ", "A\u0001", "A\u007f", "A\u0085", "A\u200bB", "\u200eA", "A\u202eB", "A\u2066", "\ufeffA", "A\u00adB"],
)
def test_both_ways_refuse_what_is_empty_or_holds_what_nobody_sees(reference: str) -> None:
    assert (by_webhook(reference), by_staging(reference)) == ("refused", "refused")
    assert (Payment.objects.count(), count("payment_references")) == (0, 0)
    assert len(StagingRejection.objects.get().reasons) == 1


def test_a_length_is_that_of_the_normal_form_on_both_ways() -> None:
    comes_apart = "\u0958" * 128
    assert len(unicodedata.normalize("NFC", comes_apart)) == 256
    assert (by_webhook(comes_apart), by_staging(comes_apart)) == ("refused", "refused")
    assert StagingRejection.objects.get().reasons == ["reference_number_too_long"]
    comes_together = "e\u0301" * 127
    assert (by_webhook(comes_together), by_staging(comes_together)) == ("recorded", "duplicate")


def test_python_and_postgresql_agree_on_the_normal_form_of_every_character_that_both_know() -> None:
    known = [
        chr(code)
        for code in range(0x80, 0x110000)
        if unicodedata.category(chr(code)) not in ("Cn", "Cs") and unicodedata.normalize("NFD", chr(code)) != chr(code)
    ]
    forms = [form for letter in known for form in (letter, unicodedata.normalize("NFD", letter))]
    with connection.cursor() as cursor:
        cursor.execute(
            "select normalize(form, nfc) from unnest(%s::text[]) with ordinality listed (form, place) order by place",
            [forms],
        )
        answered = [row[0] for row in cursor.fetchall()]
    assert len(forms) > 20_000
    assert answered == [unicodedata.normalize("NFC", form) for form in forms]


def webhook_form(text: str) -> str | None:
    """The reference as a webhook would keep it; None when it is refused."""
    body = body_of(reference_number=text, amount="120.50", payment_date=PAID_AT)
    try:
        return read_notice(body, notice_limits(AT, currency="CAD")).reference_number
    except NoticeInvalid:
        return None


letters = st.text(
    alphabet=st.characters(exclude_categories=["Cs", "Cn", "Co"], exclude_characters="\x00")
    | st.sampled_from(" \t\r\n\u0301\u200b"),
    max_size=12,
)


@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(letters, min_size=1, max_size=20, unique=True))
@example(texts=["\u1e9b\u0323", "\u0344", "\U0001d15e", "\u0f73\u0f72"])
def test_whatever_is_staged_is_kept_as_a_webhook_would_keep_it(texts: list[str]) -> None:
    prepare_staging()
    earlier = set(Payment.objects.values_list("reference_number", flat=True))
    rejected = count("staging_rejection")
    stage(*[a_row(text) for text in texts])
    record_chunk(batch_size=100, after_id=0, attempt=1, at=AT)
    forms = [webhook_form(text) for text in texts]
    kept = set(Payment.objects.values_list("reference_number", flat=True))
    assert kept == earlier | {form for form in forms if form is not None}
    assert count("staging_rejection") - rejected == forms.count(None)


@pytest.mark.parametrize(
    "letter",
    [
        "\u00a0", "\u00ad", "\u034f", "\u115f", "\u1160", "\u180e", "\u2003", "\u200b", "\u200f", "\u202e", "\u202f",
        "\u2060", "\u206a", "\u3000", "\u3164", "\ufe0f", "\ufeff", "\uffa0", "\ufff9", "\U000e0041",
    ],
    ids=lambda letter: f"U+{ord(letter):04X}",
)  # fmt: skip
@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_seen_or_looks_like_a_blank_is_refused_whatever_way_it_came(way: str, letter: str) -> None:
    assert [WAYS[way](reference) for reference in (f"A{letter}1", f"A1{letter}", f"{letter}A1")] == ["refused"] * 3
