#!/bin/sh
# Signs and posts three webhooks with curl and openssl only: a new payment, the same one again, and the same reference
# with another amount. Needs BASE_URL and SECRET; see usage below.
set -eu

usage() {
    cat >&2 <<USAGE
Usage: BASE_URL=http://127.0.0.1:3004 SECRET=whsec_... sh docs/send_webhooks.sh

  SECRET    the signing secret of the channel (./run prints the one of the channel "generic")
  BASE_URL  where the site answers; http://127.0.0.1:3004 when not given
  CHANNEL   another channel in the generic format; "generic" when not given
USAGE
    exit 2
}

[ -n "${SECRET:-}" ] || usage
case $SECRET in
    whsec_*) ;;
    *) echo "SECRET should begin with whsec_." >&2; usage ;;
esac
command -v curl >/dev/null || { echo "curl is not installed." >&2; exit 2; }
command -v openssl >/dev/null || { echo "openssl is not installed." >&2; exit 2; }

url="${BASE_URL:-http://127.0.0.1:3004}/api/v1/payments/webhook/${CHANNEL:-generic}"
# The key is what stands behind the prefix, decoded from base64; openssl takes it in hexadecimal.
key=$(printf '%s' "${SECRET#whsec_}" | openssl base64 -d -A | od -An -v -tx1 | tr -d ' \n')
[ -n "$key" ] || { echo "SECRET is not whsec_ and base64." >&2; exit 2; }
reference="DEMO-$(date -u +%Y%m%d%H%M%S)-$$"
paid_at=$(date -u +%Y-%m-%dT%H:%M:%SZ)
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT
failed=0

# post WHAT WEBHOOK_ID AMOUNT EXPECTED_STATUS
post() {
    body="{\"reference_number\":\"$reference\",\"loan_account_number\":\"LN10000417\",\"cif\":\"CIF00417\",\"amount\":$3,\"payment_date\":\"$paid_at\",\"metadata\":{\"note\":\"sent by send_webhooks.sh\"}}"
    timestamp=$(date +%s)
    signature=$(printf '%s' "$2.$timestamp.$body" | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$key" -binary | openssl base64 -A)
    status=$(curl -sS -o "$answer" -w '%{http_code}' -X POST "$url" \
        -H 'Content-Type: application/json' \
        -H "webhook-id: $2" \
        -H "webhook-timestamp: $timestamp" \
        -H "webhook-signature: v1,$signature" \
        --data-binary "$body") || { echo "No answer from $url." >&2; exit 1; }
    echo "$1: HTTP $status (expected $4)"
    cat "$answer"
    echo
    [ "$status" = "$4" ] || failed=1
}

echo "Posting to $url"
post "1. A new payment" "msg_$reference" 125.50 201
post "2. The same payment again" "msg_$reference" 125.50 200
post "3. The same reference with another amount" "msg_$reference-b" 130.00 409
exit "$failed"
