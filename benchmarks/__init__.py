"""How fast, small and steady the service is, beside what one would use instead.

Run with ``python -m benchmarks``; docs/benchmarks.rst says what is measured and how to read it.
"""
