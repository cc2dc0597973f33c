"""The session in curl from a quote to an approved refund, as the README lets a newcomer run it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from django.conf import settings

from invoices.models import Invoice, Refund
from tests.flows.demosite import DemoSite, needs_curl
from tests.simulators.running import RunningSimulators

SCRIPT = Path(settings.BASE_DIR) / "docs" / "invoice_session.sh"
pytestmark = [pytest.mark.django_db(transaction=True), needs_curl]


def run_session(site: DemoSite, **variables: str) -> subprocess.CompletedProcess[str]:
    keys = {"KEY": site.secret("demo_api_key"), "APPROVER_KEY": site.secret("demo_approver_key"), "BASE_URL": site.url}
    return site.run(f"sh '{SCRIPT}'", **{**keys, **variables})


def test_the_session_goes_from_a_quote_to_an_approved_refund_and_can_be_run_again(demo_site: DemoSite) -> None:
    before = set(Invoice.objects.values_list("pk", flat=True))

    first, second = run_session(demo_site), run_session(demo_site)

    assert first.returncode == 0, first.stdout + first.stderr
    assert second.returncode == 0, second.stdout + second.stderr
    assert first.stdout.endswith("All as it should be.\n")
    made = Invoice.objects.exclude(pk__in=before).order_by("pk").values_list("payment_method", "status", "total")
    once = [("DIRECT_PAY", "PAID", "44.58"), ("PAD", "CANCELLED", "33.08")]
    assert [(method, status, str(total)) for method, status, total in made] == once * 2
    for refund in Refund.objects.filter(invoice__folio_number__startswith="SESSION-"):
        assert str(refund.amount) == "33.00"
        assert (refund.requested_by, refund.decided_by) == ("demo-partner", "demo-approver")
    assert Refund.objects.filter(invoice__folio_number__startswith="SESSION-").count() == 2


def test_the_session_stops_at_the_first_wrong_answer_and_shows_it(demo_site: DemoSite) -> None:
    before = Invoice.objects.count()

    done = run_session(demo_site, KEY="ps_nobodys0_" + "A" * 43)

    assert done.returncode == 1
    assert "expected 200; the answer:" in done.stderr
    assert '"code":"api-key-refused"' in done.stderr
    assert "2. Order it" not in done.stdout
    assert Invoice.objects.count() == before


def test_the_session_with_one_client_for_both_parts_stops_at_its_own_approval(demo_site: DemoSite) -> None:
    done = run_session(demo_site, APPROVER_KEY=demo_site.secret("demo_api_key"))

    assert done.returncode == 1
    assert '"code":"approval-own-request"' in done.stderr
    assert Refund.objects.get(invoice__folio_number__startswith="SESSION-").status == "PENDING_APPROVAL"


@pytest.mark.parametrize(
    ("fault", "onward"), [("declined", "http://localhost/thanks?order=7&status=FAILED"), ("wrong_hash", "")]
)
def test_the_session_stops_where_the_card_was_not_paid_or_the_return_is_not_the_gateways(
    demo_site: DemoSite, simulators: RunningSimulators, fault: str, onward: str
) -> None:
    simulators.fault("card", fault)

    done = run_session(demo_site)

    assert done.returncode == 1
    assert f"sent on to '{onward}'" in done.stderr
    invoice = Invoice.objects.get(folio_number__startswith="SESSION-")
    assert (invoice.status, str(invoice.paid_amount)) == ("CREATED", "0.00")


def test_the_session_without_a_key_says_what_it_needs(demo_site: DemoSite) -> None:
    for missing in ("KEY", "APPROVER_KEY"):
        done = run_session(demo_site, **{missing: ""})

        assert done.returncode == 2
        assert done.stderr.startswith("Usage: KEY=ps_...")
