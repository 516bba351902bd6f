"""The order gate: the one question asked before an order leaves, and what answers it (see `interface.py`)."""
