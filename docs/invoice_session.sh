#!/bin/sh
# From a quote to an approved refund with curl alone, against a site with the demo data. Stops at the first wrong answer.
set -eu

usage() {
    cat >&2 <<USAGE
Usage: KEY=ps_... APPROVER_KEY=ps_... BASE_URL=http://localhost:3004 sh docs/invoice_session.sh

  KEY           an API key of the demo partner: cat var/secrets/demo_api_key
  APPROVER_KEY  one of the demo approver: cat var/secrets/demo_approver_key
  BASE_URL      where the site answers; http://localhost:3004 when not given
Needs curl and python3 (to read JSON), and the simulated card gateway that ./run starts.
USAGE
    exit 2
}

[ -n "${KEY:-}" ] && [ -n "${APPROVER_KEY:-}" ] || usage
for program in curl python3; do
    command -v "$program" >/dev/null || { echo "$program is not installed." >&2; exit 2; }
done

site="${BASE_URL:-http://localhost:3004}"
api="$site/api/v1"
run="$(date -u +%Y%m%d%H%M%S)-$$"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
answer="$folder/answer"

# call STATUS METHOD PATH [BODY [IDEMPOTENCY_KEY]]: one request with the partner's key, or with $key_now
call() {
    expected=$1 method=$2 path=$3 body=${4:-} idempotency=${5:-}
    set -- -sS -o "$answer" -w '%{http_code}' -X "$method" -H "Authorization: Bearer ${key_now:-$KEY}"
    [ -z "$body" ] || set -- "$@" -H 'Content-Type: application/json' --data-binary "$body"
    [ -z "$idempotency" ] || set -- "$@" -H "Idempotency-Key: $idempotency"
    status=$(curl "$@" "$api$path")
    echo "   $method $path: $status"
    [ "$status" = "$expected" ] || { echo "   expected $expected; the answer:" >&2; cat "$answer" >&2; echo >&2; exit 1; }
}

# value NAMES: a member of the last answer, such as money.total or lines.0.id
value() {
    python3 - "$answer" "$1" <<'PYTHON'
import json, sys
found = json.load(open(sys.argv[1]))
for name in sys.argv[2].split("."):
    found = found[int(name)] if name.isdigit() else found[name]
print("" if found is None else found)
PYTHON
}

# expect NAMES VALUE: the member of the last answer holds this
expect() {
    found=$(value "$1")
    [ "$found" = "$2" ] || { echo "   $1 is '$found', not '$2':" >&2; cat "$answer" >&2; echo >&2; exit 1; }
    echo "   $1 = $found"
}

order() {
    cat <<BODY
{"businessInfo": {"corpType": "VS", "businessIdentifier": "BC0871234"},
 "filingInfo": {"filingIdentifier": "F-$run", "folioNumber": "SESSION-$run",
                "filingTypes": [{"filingTypeCode": "WILLNOTICE", "priority": true}]},
 "accountInfo": {"accountNumber": "1009"},
 "details": [{"label": "Testator", "value": "A. Person"}]}
BODY
}

echo "1. What a wills notice with priority costs account 1009"
call 200 GET "/fees?product=VS"
call 200 GET "/fees/VS/WILLNOTICE?priority=true&accountNumber=1009"
expect filingFees 10.00
expect priorityFees 33.00
total=$(value total)
echo "   total = $total"

echo "2. Order it; the same request again has no second effect"
call 201 POST /invoices "$(order)" "order-$run"
expect status CREATED
expect money.total "$total"
invoice=$(value id)
line=$(value lines.0.id)
cp "$answer" "$folder/first"
call 201 POST /invoices "$(order)" "order-$run"
cmp -s "$answer" "$folder/first" || { echo "   the repeat was answered otherwise" >&2; exit 1; }
echo "   the repeat was answered with the same bytes, invoice $invoice"

echo "3. Another order under the same key is refused; a mistake is named by its path"
call 422 POST /invoices "$(order | sed 's/BC0871234/BC0879999/')" "order-$run"
expect code idempotency-key-reused
call 422 POST /invoices "$(order | sed 's/"priority": true/"quantity": 0/')" "mistake-$run"
expect errors.0.field "filingInfo.filingTypes[0].quantity"

echo "4. Read it, and find it by its folio number"
call 200 GET "/invoices/$invoice"
echo "   $(value nextStep)"
call 200 GET "/invoices?folioNumber=SESSION-$run&createdBy=demo-partner"
expect items.0.id "$invoice"
call 409 GET "/invoices/$invoice/receipt.pdf"
expect code receipt-not-ready

echo "5. Open a card payment, pay at the simulated gateway, and come back"
call 201 POST "/invoices/$invoice/transactions" '{"clientSystemUrl": "http://localhost/thanks?order=7"}' "pay-$run"
attempt=$(value id)
back=$(curl -sS -o /dev/null -w '%{redirect_url}' -d decision=pay "$(value payUrl)")
onward=$(curl -sS -o /dev/null -w '%{redirect_url}' "$back")
[ "$onward" = "http://localhost/thanks?order=7&status=COMPLETED" ] || { echo "   sent on to '$onward'" >&2; exit 1; }
echo "   the payer was sent on to $onward"
call 200 GET "/invoices/$invoice/transactions/$attempt"
expect status COMPLETED
call 200 GET "/invoices/$invoice"
expect status PAID
expect statusDisplay COMPLETED
expect money.paid "$total"
expect money.owing 0.00

echo "6. The receipt, as data and as a PDF"
call 200 GET "/invoices/$invoice/receipts"
expect 0.amount "$total"
call 200 GET "/invoices/$invoice/receipt.pdf"
[ "$(head -c 5 "$answer")" = "%PDF-" ] || { echo "   that is no PDF" >&2; exit 1; }

echo "7. What giving the priority fee back would do, then asking for it: this product wants a second party"
part="{\"refundRevenue\": [{\"paymentLineItemId\": $line, \"refundType\": \"PRIORITY_FEES\", \"refundAmount\": \"33.00\"}]"
call 200 POST "/invoices/$invoice/refunds/preview" "$part}" "look-$run"
expect needsApproval True
expect statusAfter PAID
call 202 POST "/invoices/$invoice/refunds" "$part, \"reason\": \"It came too late\"}" "refund-$run"
expect status PENDING_APPROVAL
refund=$(value id)
call 403 PATCH "/refunds/$refund" '{"status": "APPROVED"}'
expect code approval-own-request

echo "8. Another system approves; the card gateway is told, and confirms when it has booked it"
key_now=$APPROVER_KEY
call 200 PATCH "/refunds/$refund" '{"status": "APPROVED"}'
expect decidedBy demo-approver
case $(value status) in
    PROCESSING|PROCESSED) echo "   status = $(value status)" ;;
    *) echo "   status = $(value status)" >&2; exit 1 ;;
esac
key_now=
call 200 GET "/invoices/$invoice"
expect refunds.0.amount 33.00

echo "9. A debit order is collected by night, and can be taken back before"
debit='{"businessInfo": {"corpType": "CP"}, "filingInfo": {"filingTypes": [{"filingTypeCode": "OTANN"}]}, "accountInfo": {"accountNumber": "1001"}}'
call 201 POST /invoices "$debit" "debit-$run"
expect status APPROVED
debited=$(value id)
call 202 DELETE "/invoices/$debited"
expect status CANCELLED

echo "10. What account 1003 may not do, and why"
call 200 GET /accounts/1003
expect locks.0.kind NSF
call 422 POST /invoices "$(echo "$debit" | sed 's/1001/1003/')" "locked-$run"
expect code account-may-not-order
expect gates.0.code PAD_CURRENTLY_NSF

echo "All as it should be."
