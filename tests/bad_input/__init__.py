"""Input that nobody should send: held against the parsers, a service, and its processes.

``cases`` makes it, ``parsers`` and ``requests`` say what must hold of each; see docs/reliability.
"""
