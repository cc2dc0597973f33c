"""A card gateway and a prepaid mainframe to try things with: one process, in memory, on loopback, faults on demand.

Nothing here is shared with the product's own code, so that a mistake in either shows.
"""
