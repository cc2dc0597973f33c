"""What is known of references in front of the database. It may say "certainly this payment again", never "new".

After a database was put back to an earlier state, restart the web processes and empty Redis: both remember payments.
"""

from payments.deduplication.layers import find_known, forget_all, remember
from payments.deduplication.memory import KnownReference, fingerprint_of
from payments.deduplication.warming import is_warm, warm_caches

__all__ = ["KnownReference", "find_known", "fingerprint_of", "forget_all", "is_warm", "remember", "warm_caches"]
