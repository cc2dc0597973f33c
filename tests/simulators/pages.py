"""The pages of the simulators: the card gateway's payment page, and one page that shows and controls everything."""

from __future__ import annotations

from html import escape
from typing import Any

from tests.simulators.faults import FAULTS, SYSTEMS
from tests.simulators.prepaidbook import PrepaidBook

STYLE = """
:root { color-scheme: light dark; --line: #8886; --quiet: #777; --go: #1a7f37; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; }
main, section { border: 1px solid var(--line); border-radius: 10px; padding: 1.25rem; margin-bottom: 1.25rem; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem } h2 { font-size: 1.1rem; margin: 0 0 .5rem }
p { margin: .25rem 0 .75rem } .quiet { color: var(--quiet); font-size: .9rem }
.wide { overflow-x: auto } table { border-collapse: collapse; width: 100%; font-size: .9rem }
th, td { text-align: left; padding: .35rem .5rem; border-bottom: 1px solid var(--line) } .sum { font-size: 2rem }
button { font: inherit; padding: .6rem 1.2rem; border-radius: 8px; border: 1px solid var(--line); cursor: pointer }
button.go { background: var(--go); color: #fff; border-color: var(--go) } td button { padding: .1rem .6rem }
select, input { font: inherit; padding: .3rem } form { margin: 0 }
"""


def page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>'


def payment(order: dict[str, str], address: str) -> str:
    lines = "".join(
        f"<tr><td>{escape(number)}</td><td>{escape(gl)}</td><td>{escape(amount)}</td></tr>"
        for number, gl, amount in (part.split(":") for part in order["revenue"].split("|"))
    )
    body = f"""
<main><h1>Pay by card</h1>
<p class="quiet">This is the simulated card gateway: no card is asked for and no money moves.</p>
<p class="sum">{escape(order["amount"])} {escape(order["currency"])}</p>
<p>{escape(order["description"])}<br><span class="quiet">{escape(order["reference"])}</span></p>
<form method="post" action="{escape(address)}">
<button class="go" name="decision" value="pay">Pay</button>
<button name="decision" value="decline">Decline</button></form></main>
<section><h2>Where it is booked</h2><div class="wide"><table><tr><th>Line</th><th>GL code</th><th>Amount</th></tr>
{lines}</table></div></section>"""
    return page(f"Pay {order['amount']} {order['currency']}", body)


def paid(order: dict[str, Any], address: str) -> str:
    body = f"""
<main><h1>Already paid</h1><p>{escape(order["reference"])} was paid, receipt {escape(order["receipt_number"])}.</p>
<p><a href="{escape(address)}">Back</a></p></main>"""
    return page("Already paid", body)


def wrong_link(why: str) -> str:
    body = f"<main><h1>This link cannot be used</h1><p>Nothing was charged: {escape(why)}.</p></main>"
    return page("Link refused", body)


def index(orders: dict[str, dict[str, Any]], prepaid: PrepaidBook, faults: list[dict[str, Any]]) -> str:
    return page("Simulators", INTRODUCTION + _orders(orders) + _debits(prepaid) + _faults(faults))


INTRODUCTION = """
<h1>Simulated card gateway and prepaid mainframe</h1>
<p>What they have done for paymentsite since their start. They keep everything in memory: it is gone when they stop.</p>
"""


def _orders(orders: dict[str, dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(order['reference'])}</td><td>{escape(order['amount'])}</td><td>{escape(order['status'])}</td>"
        f"<td>{escape(order['receipt_number'])}</td><td>{_refunds(order['refunds'])}</td></tr>"
        for order in list(orders.values())[-100:]
    )
    heads = "<tr><th>Order</th><th>Amount</th><th>Status</th><th>Receipt</th><th>Refunds</th></tr>"
    return _section("Card orders", heads, rows, "No payment page was opened yet.")


def _refunds(refunds: dict[str, dict[str, Any]]) -> str:
    return "<br>".join(
        f"{escape(refund['number'])} {escape(refund['asked']['amount'])} {escape(refund['forced'])}"
        for refund in refunds.values()
    )


def _debits(prepaid: PrepaidBook) -> str:
    rows = "".join(
        f"<tr><td>{escape(key)}</td><td>{escape(debit['asked']['account'])}</td>"
        f"<td>{int(debit['asked']['amount']) // 100}.{debit['asked']['amount'][-2:]}</td>"
        f"<td>{escape(debit['asked']['fee_code'])}</td><td>{escape(debit['asked']['remarks'])}</td>"
        f"<td>{_reversal(key, prepaid)}</td></tr>"
        for key, debit in list(prepaid.debits.items())[-100:]
    )
    heads = "<tr><th>Key</th><th>Account</th><th>Amount</th><th>Fee code</th><th>Remarks</th><th>Given back</th></tr>"
    return _section("Prepaid debits", heads, rows, "Nothing was debited yet.")


def _reversal(key: str, prepaid: PrepaidBook) -> str:
    if key in prepaid.reversals:
        return escape(prepaid.reversals[key])
    field = f'<input type="hidden" name="key" value="{escape(key)}">'
    return f'<form method="post" action="/prepaid/reversals">{field}<button>Give back</button></form>'


def _faults(faults: list[dict[str, Any]]) -> str:
    waiting = "".join(
        f"<li>{escape(fault['system'])}: {escape(fault['fault'])}, {_times(fault)}</li>" for fault in faults
    )
    systems = "".join(f"<option>{system}</option>" for system in SYSTEMS)
    kinds = "".join(f'<option value="{name}">{name}: {escape(effect)}</option>' for name, effect in FAULTS.items())
    return f"""
<section><h2>Faults</h2><p>The next call of a system goes wrong in this way.</p><ul>{waiting}</ul>
<form method="post" action="/faults"><select name="system" aria-label="System">{systems}</select>
<select name="fault" aria-label="Fault" style="max-width:100%">{kinds}</select> <button>Ask for it</button></form>
</section>
<p class="quiet">Accounts INVALID, AWAY, CLOSED, REVOKED and EMPTY and the user REVOKED refuse by their name.</p>"""


def _times(fault: dict[str, Any]) -> str:
    return "until it is taken back" if fault["times"] is None else f"{fault['times']} more"


def _section(title: str, heads: str, rows: str, empty: str) -> str:
    table = f'<div class="wide"><table>{heads}{rows}</table></div>' if rows else f"<p class='quiet'>{empty}</p>"
    return f"<section><h2>{title}</h2>{table}</section>"
