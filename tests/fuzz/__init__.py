"""Rubbish for everything that meets the outside: one target a parser, random input made from valid messages, invariants that must hold.

`python -m tests.fuzz` runs as many cases as wanted (`make fuzz`); `make test` runs a few of each and everything that was ever found.
"""
