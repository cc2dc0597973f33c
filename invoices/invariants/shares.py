"""Whose money a fee is: our service fee never reaches a partner."""

from __future__ import annotations

from datetime import datetime

from kernel.invariants.registry import Look
from kernel.invariants.statements import look_by_sql

COUNT_CHARGED = "select count(*) from invoice_line where service_fees > 0"
# Compared as text, as it was frozen: a code that is changed later does not reach what was booked.
GOES_TO_PARTNER = """
select line.id::text as id,
       'The service fee of line ' || line.id || ' (invoice ' || line.invoice_id || ') is booked to '
           || line.service_fee_gl || ', tax to ' || line.service_gst_gl || ': from there the partner is paid.'
           as sentence,
       true as is_broken
from invoice_line line
join gl_code charged on charged.id = line.gl_code_id
join gl_code paying on paying.id = charged.disbursement_gl_id
cross join lateral (
    select concat_ws('.', paying.client, paying.responsibility_centre, paying.service_line, paying.stob,
        paying.project_code, '000000', '0000') as dotted
) partner
where (line.service_fees > 0 and line.service_fee_gl = partner.dotted)
    or (line.service_gst > 0 and line.service_gst_gl = partner.dotted)
"""
CHARGED_TWICE = """
select invoice_id::text as id,
       'Invoice ' || invoice_id || ' charges the service fee on ' || count(*) || ' lines.' as sentence,
       true as is_broken
from invoice_line
where service_fees > 0
group by invoice_id
having count(*) > 1
"""


def service_fees_stay_ours(at: datetime) -> Look:
    return look_by_sql(COUNT_CHARGED, [GOES_TO_PARTNER, CHARGED_TWICE])
