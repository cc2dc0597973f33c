"""The checker is fed histories that cannot be, one for each kind of fault, and must say which it is and no other."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.faults.history import Call, Content, Fault, Kind, Stored, Verdict, judge, summary

ONE = Content("LN1", "CIF1", "10.00", "CAD", "2026-11-05T12:00:00+00:00")
OTHER = replace(ONE, amount="11.00")
PAYMENT = Stored("p1", "R", ONE)


def call(kind: Kind, payment_id: str | None = None, *, content: Content = ONE, at: float = 1, took: float = 1) -> Call:
    answered_at = None if kind is Kind.UNKNOWN else at + took
    return Call(f"client-{at:g}", "R", content, at, answered_at, kind, payment_id)


CREATED = call(Kind.CREATED, "p1")


def verdict(calls: list[Call], payments: list[Stored], events: list[Stored] | None = None) -> Verdict:
    (one,) = judge(calls, payments, payments if events is None else events)
    return one


def faults(calls: list[Call], payments: list[Stored], events: list[Stored] | None = None) -> list[Fault]:
    return [violation.fault for violation in verdict(calls, payments, events).violations]


@pytest.mark.parametrize(
    "calls",
    [
        [CREATED],
        [CREATED, call(Kind.DUPLICATE, "p1", at=3), call(Kind.CONFLICT, "p1", content=OTHER, at=3)],
        # At the same time: the one that was second may be answered first.
        [CREATED, call(Kind.DUPLICATE, "p1", at=1.1, took=0.2)],
        # Nobody heard that it was created, and it was.
        [call(Kind.UNKNOWN)],
        [call(Kind.UNKNOWN), call(Kind.UNKNOWN, content=OTHER), call(Kind.DUPLICATE, "p1", at=9)],
        # The unanswered one may have come first or not at all.
        [call(Kind.UNKNOWN, content=OTHER), call(Kind.CREATED, "p1", at=2)],
        [call(Kind.REFUSED), call(Kind.CREATED, "p1", at=5)],
    ],
)
def test_what_can_be_is_sound(calls: list[Call]) -> None:
    assert faults(calls, [PAYMENT]) == []


@pytest.mark.parametrize("kind", [Kind.UNKNOWN, Kind.REFUSED])
def test_nothing_recorded_is_sound_when_nobody_was_told_otherwise(kind: Kind) -> None:
    assert faults([call(kind)], []) == []


@pytest.mark.parametrize("kind", [Kind.CREATED, Kind.DUPLICATE, Kind.CONFLICT])
def test_an_acknowledged_payment_that_is_not_there(kind: Kind) -> None:
    assert faults([call(kind, "p1")], []) == [Fault.ACKNOWLEDGED_AND_LOST]


def test_a_staged_row_without_an_outcome() -> None:
    assert faults([call(Kind.LOST)], []) == [Fault.ROW_LOST]
    assert faults([CREATED, call(Kind.LOST, at=2)], [PAYMENT]) == [Fault.ROW_LOST]


def test_two_payments_of_one_reference() -> None:
    second = replace(PAYMENT, payment_id="p2")
    assert faults([CREATED], [PAYMENT, second]) == [Fault.RECORDED_TWICE]
    assert "p1, p2" in verdict([CREATED], [PAYMENT, second]).violations[0].sentence


def test_two_calls_that_were_told_the_same_payment_was_created_by_them() -> None:
    assert faults([CREATED, call(Kind.CREATED, "p1", at=2)], [PAYMENT]) == [Fault.CREATED_TWICE]


def test_two_ids_acknowledged_for_one_reference_although_one_payment_is_left() -> None:
    assert faults([CREATED, call(Kind.CREATED, "p2", at=2)], [PAYMENT]) == [Fault.CREATED_TWICE, Fault.WRONG_PAYMENT]


@pytest.mark.parametrize(("kind", "content"), [(Kind.DUPLICATE, ONE), (Kind.CONFLICT, OTHER)])
def test_an_answer_that_names_another_payment(kind: Kind, content: Content) -> None:
    assert faults([CREATED, call(kind, "p9", content=content, at=3)], [PAYMENT]) == [Fault.WRONG_PAYMENT]


def test_a_payment_with_other_content_than_its_creator_brought() -> None:
    assert faults([call(Kind.CREATED, "p1", content=OTHER)], [PAYMENT]) == [Fault.WRONG_CONTENT]


@pytest.mark.parametrize("field", ["account", "cif", "amount", "currency", "moment"])
def test_a_duplicate_with_other_content_in_whatever_field(field: str) -> None:
    differs = replace(ONE, **{field: "else"})
    assert faults([CREATED, call(Kind.DUPLICATE, "p1", content=differs, at=3)], [PAYMENT]) == [Fault.FALSE_DUPLICATE]


def test_a_conflict_with_the_same_content() -> None:
    assert faults([CREATED, call(Kind.CONFLICT, "p1", at=3)], [PAYMENT]) == [Fault.FALSE_CONFLICT]


@pytest.mark.parametrize(
    "calls", [[], [call(Kind.REFUSED)], [call(Kind.UNKNOWN, content=OTHER)], [call(Kind.DUPLICATE, "p1")]]
)
def test_a_payment_that_nobody_can_have_made(calls: list[Call]) -> None:
    assert faults(calls, [PAYMENT]) == [Fault.FROM_NOTHING]


def test_a_duplicate_that_was_told_before_anybody_had_asked() -> None:
    early = call(Kind.DUPLICATE, "p1", at=1, took=0.5)
    assert faults([early, call(Kind.CREATED, "p1", at=2)], [PAYMENT]) == [Fault.BEFORE_ITS_TIME]
    assert faults([early, call(Kind.UNKNOWN, at=2)], [PAYMENT]) == [Fault.BEFORE_ITS_TIME]
    assert faults([early, call(Kind.UNKNOWN, at=1.2)], [PAYMENT]) == []


def test_events_that_do_not_match_their_payment() -> None:
    assert faults([CREATED], [PAYMENT], []) == [Fault.EVENT_MISSING]
    assert faults([CREATED], [PAYMENT], [PAYMENT, PAYMENT]) == [Fault.EVENT_REPEATED]
    assert faults([CREATED], [PAYMENT], [replace(PAYMENT, content=OTHER)]) == [Fault.EVENT_DIFFERS]
    assert faults([CREATED], [PAYMENT], [PAYMENT, replace(PAYMENT, payment_id="p7")]) == [Fault.EVENT_FROM_NOTHING]
    assert faults([call(Kind.UNKNOWN)], [], [PAYMENT]) == [Fault.EVENT_FROM_NOTHING]


def test_an_event_under_another_reference_is_missing_here_and_too_much_there() -> None:
    verdicts = judge([CREATED], [PAYMENT], [replace(PAYMENT, reference="S")])
    found = {one.reference: [violation.fault for violation in one.violations] for one in verdicts}
    assert found == {"R": [Fault.EVENT_MISSING], "S": [Fault.EVENT_FROM_NOTHING]}


def test_every_reference_has_its_own_verdict_and_the_summary_counts_them() -> None:
    lost = replace(CREATED, reference="S", payment_id="p2")
    verdicts = judge([lost, CREATED, call(Kind.UNKNOWN, at=4)], [PAYMENT], [PAYMENT])
    assert [(one.reference, one.is_sound) for one in verdicts] == [("R", True), ("S", False)]
    assert summary(verdicts) == "2 references, 3 calls (2 created, 1 unknown), 1 unsound"
    assert str(verdicts[1]).startswith(
        "S:\n  acknowledged-and-lost: client-1 was told p2.\n    client-1 1.000–2.000 created"
    )


def _register(chance: random.Random) -> tuple[list[Call], list[Stored]]:
    """A history of a register that works, with answers that come late or not at all."""
    calls, stored, clock = [], None, 0.0
    for number in range(chance.randint(1, 12)):
        content, asked_at = chance.choice([ONE, OTHER]), clock
        effect_at = asked_at + chance.random()
        clock = effect_at if chance.random() < 0.7 else clock
        clock = max(clock, effect_at)
        is_heard = chance.random() < 0.7
        if is_heard or chance.random() < 0.5:
            is_first = stored is None
            stored = stored or Stored(f"p{number}", "R", content)
            kind = Kind.CREATED if is_first else Kind.DUPLICATE if content == stored.content else Kind.CONFLICT
        else:
            kind = Kind.UNKNOWN
        if is_heard and stored is not None:
            calls.append(
                Call(f"c{number}", "R", content, asked_at, effect_at + chance.random(), kind, stored.payment_id)
            )
        else:
            calls.append(Call(f"c{number}", "R", content, asked_at, None, Kind.UNKNOWN))
    return calls, [stored] if stored else []


@pytest.mark.parametrize("seed", range(200))
def test_histories_of_a_register_that_works_are_sound_and_lose_that_when_one_answer_is_changed(seed: int) -> None:
    chance = random.Random(seed)
    calls, payments = _register(chance)
    assert faults(calls, payments) == []
    heard = [place for place, one in enumerate(calls) if one.payment_id is not None]
    if heard:
        place = chance.choice(heard)
        calls[place] = replace(calls[place], payment_id="p99")
        assert Fault.WRONG_PAYMENT in faults(calls, payments)
