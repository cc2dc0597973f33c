"""The REST API's reads of payments."""
