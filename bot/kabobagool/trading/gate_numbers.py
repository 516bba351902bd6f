"""The numbers of a wallet's gate that metrics read: whether it answers and how fast, what is left, halts, leases that changed hands.

Kept by whoever uses the gate (`gate_watch.py`, `market_lease.py`); `telemetry/metrics.py` reads them at a scrape.
"""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(slots=True)
class GateNumbers:
    """Of a gate that lives in this process only `lease_changes` is known; None is what is not known now."""

    reachable: bool | None = None
    tokens_left: int | None = None
    halts: int | None = None
    lease_changes: int = 0
    """Leases this process took or lost."""
    listeners: list[Callable[[float], None]] = field(default_factory=list)
    """Called with the seconds of every call to the server, failed ones too."""

    def round_trip(self, seconds: float) -> None:
        """A call to the server took so long."""
        for listener in self.listeners:
            listener(seconds)
