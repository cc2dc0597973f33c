"""Filters of a list, kept under a name: one's own, or shared with everybody who may see the list."""
