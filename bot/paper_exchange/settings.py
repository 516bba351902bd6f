"""How slow and how unreliable the venue is, apart from faults on demand. `exchange.py` and `clearing.py` read it; users set it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ExchangeSettings:
    """Times are milliseconds of venue time: latency from submission, settlement from the match, resolution from the market's end."""

    order_latency_ms: int = 0
    mine_ms: int = 1_500
    confirm_ms: int = 3_000
    settlement_failures_per_million: int = 0
    resolution_delay_ms: int = 60_000
