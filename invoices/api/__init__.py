"""The REST API of fees, invoices, refunds, credits and accounts."""
