"""The numbers of a wallet's gate that metrics read: whether it answers and how fast, what is left, what its caps are held against.

Kept by whoever uses the gate (`gate_watch.py`, `market_lease.py`); `telemetry/metrics.py` reads them at a scrape.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from kabobagool.domain.money import Micros
from kabobagool.gate.interface import StakeNumbers


@dataclass(slots=True)
class GateNumbers:
    """None is what is not known now. Of a gate that lives in this process `lease_changes`, `stakes` and `caps` are known."""

    reachable: bool | None = None
    tokens_left: int | None = None
    halts: int | None = None
    stakes: StakeNumbers | None = None
    """Known of every gate: one in this process counts them itself."""
    caps: Mapping[str, Micros] = field(default_factory=dict)
    """The caps there are, by the refusal they are the reason of."""
    lease_changes: int = 0
    """Leases this process took or lost."""
    listeners: list[Callable[[float], None]] = field(default_factory=list)
    """Called with the seconds of every call to the server, failed ones too."""

    def round_trip(self, seconds: float) -> None:
        """A call to the server took so long."""
        for listener in self.listeners:
            listener(seconds)
