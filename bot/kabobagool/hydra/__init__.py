"""Hydra: many markets in one process over shared sockets, one order queue and one page (see `market_supervisor.py`)."""
