"""The variables of the order gate: how fast a wallet's orders may leave, what stops new pairs, and where its bots agree on it.

`settings_fields.py` lists this group with the others; `trading/gate_choice.py` makes the gate's limits of it.
"""

from decimal import Decimal
from typing import Any

from pydantic import BaseModel

from kabobagool.domain.money import Micros, parse_micros
from kabobagool.settings_types import Exact, RedisUrl, variable

MICROSECONDS = 1_000_000
WALLET_DOLLARS: dict[str, Any] = {"unit": "dollars", "le": 1_000_000_000, "decimal_places": 6}
"""What every cap of a wallet is measured in."""


class GateVariables(BaseModel):
    """What all orders of a wallet together keep to. Several processes that trade one wallet share it through REDIS_URL."""

    order_rate: Exact = variable(
        Decimal(20),
        "Orders the wallet may send in the long run; the venue allows a small account 40.",
        unit="orders per second",
        ge=Decimal("0.001"),
        le=1000,
        decimal_places=3,
    )
    order_burst: int = variable(30, "Orders that may leave at once after silence.", unit="orders", ge=1, le=1000)
    global_order_min_interval_s: Exact | None = variable(
        None,
        "Least time between two orders of the wallet; when set it is used in place of ORDER_RATE, ORDER_BURST and HEDGE_RESERVE.",
        unit="s",
        ge=0,
        le=3600,
        decimal_places=6,
    )
    hedge_reserve: Exact = variable(
        Decimal("0.2"), "Part of ORDER_RATE that new pairs never get: it is kept for hedges and unwinds.", ge=0, lt=1, decimal_places=4
    )
    max_exposure_usd: Exact | None = variable(
        None,
        "The most dollars that all markets of the wallet together may have at stake; no new pair above it.",
        ge=5,
        **WALLET_DOLLARS,
    )
    max_orphan_usd: Exact | None = variable(
        None,
        "No new pair of the wallet while shares without a partner, over all its markets, cost this much or more.",
        ge=1,
        **WALLET_DOLLARS,
    )
    max_daily_loss_usd: Exact | None = variable(
        None,
        "No new pair of the wallet once it has lost this much since midnight UTC, over all its markets; hedges and unwinds go on.",
        ge=1,
        **WALLET_DOLLARS,
    )
    redis_url: RedisUrl | None = variable(
        None,
        "Redis or Valkey in which all processes of the wallet share one rate, the halts and open orders, and in which each market has "
        "one bot. Without it the wallet must have only one process.",
        unit="URL",
    )

    @property
    def order_interval_us(self) -> int:
        """Microseconds between two orders of the wallet in the long run; 0 does not limit."""
        if self.global_order_min_interval_s is not None:
            return int(self.global_order_min_interval_s * MICROSECONDS)
        return round(MICROSECONDS / self.order_rate)

    @property
    def max_exposure_micros(self) -> Micros | None:
        """Micro-dollars that all markets together may have at stake; None does not limit."""
        return _micros(self.max_exposure_usd)

    @property
    def max_orphan_micros(self) -> Micros | None:
        """Micro-dollars of naked shares, at cost, at which the wallet opens nothing new; None does not limit."""
        return _micros(self.max_orphan_usd)

    @property
    def max_daily_loss_micros(self) -> Micros | None:
        """Micro-dollars lost in a UTC day at which the wallet opens nothing new; None does not limit."""
        return _micros(self.max_daily_loss_usd)


def _micros(dollars: Decimal | None) -> Micros | None:
    return None if dollars is None else parse_micros(f"{dollars:f}")
