"""Tests and benchmarks.

A package, because an installed distribution brings a top-level `tests` of its own that would hide a plain folder.
"""
