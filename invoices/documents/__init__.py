"""Documents for payers, as PDF."""
