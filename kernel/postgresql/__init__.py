"""Django's PostgreSQL backend for web processes: no request waits for a server that is known to be silent."""
