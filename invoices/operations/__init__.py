"""The writes of the invoices app. Each begins with the invoice's lock, and ends with the status that its rows imply."""
