"""Idempotency keys: a POST that is repeated under its key has one effect, and every repeat hears the first answer."""
