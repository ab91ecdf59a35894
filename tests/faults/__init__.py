"""Faults under load: network, kills, disk, clock, file descriptors; see docs/reliability.

``ledger`` knows what may be stored, ``workers`` write and read, ``network`` and ``relay`` stand
between them and a service, ``siege`` is that service and what befalls it.
"""
