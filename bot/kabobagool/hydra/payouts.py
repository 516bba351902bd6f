"""What a market that has ended pays, asked of the catalogue: the socket does not always say that a market has resolved.

`market_supervisor.py` asks for markets that are over, so that their position becomes a payout in the books of the fleet.
"""

from typing import Final

from kabobagool.domain.money import MICRO, Micros
from kabobagool.venue.gamma import find_market
from kabobagool.venue.reader import Reader

Payout = tuple[Micros, Micros]
"""Millionths of a dollar that one share of YES and of NO pays; together always one dollar, also at 50/50."""

PAYOUTS: Final[tuple[Payout, ...]] = ((MICRO, 0), (0, MICRO), (MICRO // 2, MICRO // 2))
"""What a binary market can pay. Prices that are none of these are the last trades of a market whose winner is not known yet."""


async def payout_of(reader: Reader, gamma_host: str, condition_id: str) -> Payout | None:
    """The payout, None while the catalogue does not say one. VenueError when it does not answer."""
    found = await find_market(reader, gamma_host, condition_id=condition_id)
    if not found.closed or found.resolution_status not in ("", "resolved"):
        return None
    return found.outcome_prices if found.outcome_prices in PAYOUTS else None
