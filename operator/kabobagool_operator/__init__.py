"""The Kubernetes layer: markets as ArbMarkets, ArbMarkets as bots.

It imports `kabobagool` and is never imported by it. The folder above must never hold an `__init__.py`: a package called `operator` at the
repository's root would shadow the standard library's module of that name, and Python itself would not start.
"""
