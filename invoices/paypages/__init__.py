"""The pages that payers visit without a login: an invoice's own page, and the way back from the card gateway."""
