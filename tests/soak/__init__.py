"""A soak: the demo's fleet for an hour at real speed, with faults, watched from outside. `python -m tests.soak` writes build/soak.json."""
