"""Benchmarks, each beside its physical limit. docs/performance.md says how to read them and what they gave."""
