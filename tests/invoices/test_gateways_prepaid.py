"""The prepaid mainframe's client against the simulator in its own process, with everything that can go wrong there."""

from __future__ import annotations

import dataclasses
import json
import threading
from decimal import Decimal

import pytest

from invoices.gateways import (
    GatewayDown,
    OutcomeUnknown,
    PrepaidDebit,
    PrepaidFundsInsufficient,
    PrepaidGateway,
    PrepaidRefused,
    prepaid_gateway,
)
from invoices.gateways.errors import KeyUsedOtherwise
from invoices.gateways.http import Access, OutsideSystem
from invoices.gateways.prepaid import (
    HttpPrepaidGateway,
    PrepaidAccountClosed,
    PrepaidAccountInvalid,
    PrepaidAccountRevoked,
    PrepaidUnavailable,
    PrepaidUserRevoked,
)
from tests.invoices.rawserver import KEY, SECRET, Play, RawServer, answer
from tests.simulators.running import RunningSimulators

DEBIT = PrepaidDebit(
    key="REG00000042",
    prepaid_user_id="PC00001",
    prepaid_account="180670",
    amount=Decimal("19.99"),
    fee_code="OTADD",
    remarks="CP0001234(OTANN)-Ada",
    folio="F-7",
)


@pytest.fixture
def prepaid(simulators: RunningSimulators) -> PrepaidGateway:
    return prepaid_gateway()


def test_a_debit_takes_exactly_the_cents_that_were_asked_for(
    simulators: RunningSimulators,
    prepaid: PrepaidGateway,
) -> None:
    assert prepaid.find_debit("REG00000042") is None
    receipt = prepaid.debit(DEBIT)
    assert (receipt.key, receipt.amount, receipt.prepaid_account) == ("REG00000042", Decimal("19.99"), "180670")
    assert receipt.receipt_number == "B00000001"
    assert prepaid.find_debit("REG00000042") == receipt
    assert [debit["amount"] for debit in simulators.debits()] == ["0000001999"]


def test_the_mainframe_is_sent_ten_digits_of_cents_and_the_service_fee_as_a_code_only() -> None:
    def done(connection: object, request: object, number: int) -> None:
        sent.append(json.loads(request.body))  # type: ignore[attr-defined]
        connection.sendall(answer(request, {"fault": "61", "reason": "No."}, status=422))  # type: ignore[attr-defined,arg-type]

    sent: list[dict[str, object]] = []
    with RawServer(done) as server:
        gateway = HttpPrepaidGateway(OutsideSystem(Access("prepaid mainframe", server.url, KEY, SECRET)))
        with pytest.raises(PrepaidFundsInsufficient):
            gateway.debit(DEBIT)
    assert sent == [
        {
            "key": "REG00000042",
            "user_id": "PC00001",
            "account": "180670",
            "amount": "0000001999",
            "rate": "0000001999",
            "quantity": 1,
            "fee_code": "OTADD",
            "remarks": "CP0001234(OTANN)-Ada",
            "folio": "F-7",
        }
    ]


def test_the_same_invoice_is_debited_once_however_often_it_is_asked(
    simulators: RunningSimulators,
    prepaid: PrepaidGateway,
) -> None:
    receipts = [prepaid.debit(DEBIT) for _ in range(3)]
    assert receipts == [receipts[0]] * 3
    assert len(simulators.debits()) == 1


def test_the_same_invoice_at_once_from_many_is_debited_once(
    simulators: RunningSimulators,
    prepaid: PrepaidGateway,
) -> None:
    barrier, receipts = threading.Barrier(16), []

    def ask() -> None:
        barrier.wait(10)
        receipts.append(prepaid.debit(DEBIT))

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(receipts) == 16
    assert {receipt.receipt_number for receipt in receipts} == {"B00000001"}
    assert len(simulators.debits()) == 1


@pytest.mark.parametrize(
    ("code", "error", "stable"),
    [
        ("5", PrepaidAccountInvalid, "prepaid-account-invalid"),
        ("20", PrepaidAccountClosed, "prepaid-account-closed"),
        ("21", PrepaidUserRevoked, "prepaid-user-revoked"),
        ("48", PrepaidAccountRevoked, "prepaid-account-revoked"),
        ("61", PrepaidFundsInsufficient, "prepaid-funds-insufficient"),
        ("4711", PrepaidRefused, "prepaid-refused"),
    ],
)
def test_each_fault_of_the_mainframe_has_its_name_and_takes_nothing(
    simulators: RunningSimulators,
    prepaid: PrepaidGateway,
    code: str,
    error: type[PrepaidRefused],
    stable: str,
) -> None:
    simulators.fault("prepaid", "declined", code=code)
    with pytest.raises(PrepaidRefused) as caught:
        prepaid.debit(DEBIT)
    assert type(caught.value) is error
    assert (caught.value.code, caught.value.fault, caught.value.status) == (stable, code, 422)
    assert caught.value.next_step
    assert simulators.debits() == []
    assert prepaid.find_debit(DEBIT.key) is None


def test_a_mainframe_that_says_it_is_closed_has_taken_nothing_and_can_be_asked_later(
    simulators: RunningSimulators,
    prepaid: PrepaidGateway,
) -> None:
    simulators.fault("prepaid", "declined", code="7")
    with pytest.raises(PrepaidUnavailable) as caught:
        prepaid.debit(DEBIT)
    assert isinstance(caught.value, GatewayDown)
    assert simulators.debits() == []
    assert prepaid.debit(DEBIT).amount == Decimal("19.99")


@pytest.mark.parametrize(
    ("account", "user", "error"),
    [
        ("CLOSED", "PC00001", PrepaidAccountClosed),
        ("EMPTY", "PC00001", PrepaidFundsInsufficient),
        ("180670", "REVOKED", PrepaidUserRevoked),
    ],
)
def test_accounts_of_the_demo_refuse_by_their_name(
    simulators: RunningSimulators,
    prepaid: PrepaidGateway,
    account: str,
    user: str,
    error: type[PrepaidRefused],
) -> None:
    with pytest.raises(error):
        prepaid.debit(dataclasses.replace(DEBIT, prepaid_account=account, prepaid_user_id=user))
    assert simulators.debits() == []


@pytest.mark.parametrize(
    "fault", ["accept_then_time_out", "accept_then_reset", "accept_then_fail", "garbage", "wrong_hash"]
)
def test_a_debit_of_unknown_outcome_is_found_and_repeated_without_taking_twice(
    simulators: RunningSimulators,
    prepaid: PrepaidGateway,
    fault: str,
) -> None:
    simulators.fault("prepaid", fault)
    with pytest.raises(OutcomeUnknown):
        prepaid.debit(DEBIT)
    found = prepaid.find_debit(DEBIT.key)
    assert found is not None
    assert prepaid.debit(DEBIT) == found
    assert len(simulators.debits()) == 1
    assert [call["key"] for call in simulators.calls("prepaid", method="POST")] == [DEBIT.key] * 2


@pytest.mark.parametrize("fault", ["fail", "reset"])
def test_a_debit_that_was_lost_leaves_its_outcome_unknown_and_is_not_found(
    simulators: RunningSimulators,
    prepaid: PrepaidGateway,
    fault: str,
) -> None:
    simulators.fault("prepaid", fault)
    with pytest.raises(OutcomeUnknown):
        prepaid.debit(DEBIT)
    assert prepaid.find_debit(DEBIT.key) is None
    assert simulators.debits() == []


def test_a_request_that_arrives_twice_takes_once(simulators: RunningSimulators, prepaid: PrepaidGateway) -> None:
    simulators.fault("prepaid", "duplicate_call")
    prepaid.debit(DEBIT)
    assert len(simulators.calls("prepaid", method="POST")) == 2
    assert len(simulators.debits()) == 1


@pytest.mark.parametrize(("times", "attempts"), [(1, 2), (2, 3)])
def test_a_mainframe_that_is_down_for_a_moment_is_waited_for(
    simulators: RunningSimulators,
    prepaid: PrepaidGateway,
    times: int,
    attempts: int,
) -> None:
    simulators.fault("prepaid", "down", times=times)
    prepaid.debit(DEBIT)
    assert len(simulators.calls("prepaid", method="POST")) == attempts
    assert len(simulators.debits()) == 1


def test_a_mainframe_that_stays_down_has_taken_nothing(simulators: RunningSimulators, prepaid: PrepaidGateway) -> None:
    simulators.fault("prepaid", "down", times=None)
    with pytest.raises(GatewayDown):
        prepaid.debit(DEBIT)
    assert simulators.debits() == []


def test_a_number_that_was_debited_with_another_amount_is_no_refusal(
    simulators: RunningSimulators,
    prepaid: PrepaidGateway,
) -> None:
    prepaid.debit(DEBIT)
    with pytest.raises(KeyUsedOtherwise):
        prepaid.debit(dataclasses.replace(DEBIT, amount=Decimal("20.00")))
    assert [debit["amount"] for debit in simulators.debits()] == ["0000001999"]


def receipt(**changes: str) -> Play:
    body = {
        "return_code": "0000",
        "key": DEBIT.key,
        "account": DEBIT.prepaid_account,
        "amount": "0000001999",
        "receipt_number": "B1",
        "debited_at": "2026-11-24T04:44:10Z",
    }
    return lambda connection, request, number: connection.sendall(answer(request, body | changes, status=201))


@pytest.mark.parametrize(
    "changes",
    [
        {"return_code": "0001"},
        {"key": "REG00000043"},
        {"account": "180671"},
        {"amount": "0000001998"},
        {"amount": "19.99"},
        {"amount": "0000000000"},
        {"receipt_number": ""},
        {"debited_at": ""},
        {"debited_at": "yesterday"},
        {"debited_at": "2026-11-24T04:44:10"},
        {"receipt_number": "x" * 600},
    ],
)
def test_a_receipt_for_something_else_leaves_the_outcome_unknown(changes: dict[str, str]) -> None:
    with RawServer(receipt(**changes)) as server:
        gateway = HttpPrepaidGateway(OutsideSystem(Access("prepaid mainframe", server.url, KEY, SECRET)))
        with pytest.raises(OutcomeUnknown):
            gateway.debit(DEBIT)
        assert len(server.requests) == 1


def test_reversals_of_any_number_of_debits_are_asked_for_five_thousand_at_a_time(
    simulators: RunningSimulators,
    prepaid: PrepaidGateway,
) -> None:
    prepaid.debit(DEBIT)
    prepaid.debit(dataclasses.replace(DEBIT, key="REG00012001", amount=Decimal("8.29")))
    simulators.reverse("REG00000042")
    simulators.reverse("REG00012001")
    keys = [f"REG{number:08d}" for number in range(12_002)]

    found = prepaid.find_reversals(keys)

    assert [(row.key, row.amount, row.prepaid_account) for row in found] == [
        ("REG00000042", Decimal("19.99"), "180670"),
        ("REG00012001", Decimal("8.29"), "180670"),
    ]
    assert len([call for call in simulators.calls("prepaid") if "reversals" in call["path"]]) == 3


def test_five_thousand_reversals_fit_into_one_answer() -> None:
    rows = [
        {
            "key": f"REG{number:08d}",
            "quantity": -1,
            "amount": "0000001999",
            "account": "1" * 50,
            "reversed_at": "2026-11-24T04:44:10Z",
        }
        for number in range(5000)
    ]
    with RawServer(lambda connection, request, number: connection.sendall(answer(request, {"rows": rows}))) as server:
        gateway = HttpPrepaidGateway(OutsideSystem(Access("prepaid mainframe", server.url, KEY, SECRET)))
        assert len(gateway.find_reversals([f"REG{number:08d}" for number in range(5000)])) == 5000
        assert len(server.requests) == 1


def test_of_no_debits_nothing_is_asked(simulators: RunningSimulators, prepaid: PrepaidGateway) -> None:
    prepaid.debit(DEBIT)
    assert prepaid.find_reversals([]) == []
    assert prepaid.find_reversals([DEBIT.key]) == []
    assert len([call for call in simulators.calls("prepaid") if "reversals" in call["path"]]) == 1


@pytest.mark.parametrize("changes", [{"key": "REG00000043"}, {"quantity": 1}, {"amount": "19.99"}])
def test_a_row_that_is_no_reversal_of_ours_is_not_believed(changes: dict[str, object]) -> None:
    row = {
        "key": DEBIT.key,
        "quantity": -1,
        "amount": "0000001999",
        "account": "1",
        "reversed_at": "2026-11-24T00:00:00Z",
    }
    rows = {"rows": [row | changes]}
    with RawServer(lambda connection, request, number: connection.sendall(answer(request, rows))) as server:
        gateway = HttpPrepaidGateway(OutsideSystem(Access("prepaid mainframe", server.url, KEY, SECRET)))
        with pytest.raises(GatewayDown):
            gateway.find_reversals([DEBIT.key])
