"""Which ArbMarkets there are, as discovery sees them: its own, those that people pinned, and what each of them is about.

`market_source.py` takes one before it changes anything. Pure. A market may be known by slug, condition id or tokens, as people named it
and as the status says, so that a pinned market is recognised before it was resolved.
"""

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from kabobagool.domain.market import Market
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_status import Phase, PositionFacts
from kabobagool_operator.duplicates import is_discovered, seniority
from kabobagool_operator.resolution import Way, facts_of, way_of, ways_to

NO_SHARES: Final = PositionFacts.of(yes=0, no=0)


class Census(msgspec.Struct, frozen=True, kw_only=True):
    """`discovered` are discovery's own by condition id, one each, that nobody deleted; `surplus` are further ones of the same market.

    `pinned` says by which ArbMarket each way to name a market is pinned. `present` are condition ids that have an ArbMarket of any kind,
    also one that is being deleted; `names` are taken.
    """

    discovered: Mapping[str, ArbMarket]
    surplus: tuple[ArbMarket, ...]
    pinned: Mapping[Way, str]
    present: frozenset[str]
    names: frozenset[str]

    @property
    def holding(self) -> frozenset[str]:
        """Condition ids of its own in which something is owned that is still traded: they stay. What has ended is paid out by the venue."""
        return frozenset(condition_id for condition_id, market in self.discovered.items() if _holds(market))

    def pinned_by(self, market: Market) -> str | None:
        """Name of the ArbMarket with which a person asked for this market."""
        return self._first_pin(ways_to(facts_of(market)))

    def rival(self, market: ArbMarket) -> str | None:
        """Name of the ArbMarket with which a person asked for the same market as this one of discovery's."""
        return self._first_pin(_ways(market))

    def _first_pin(self, ways: Iterable[Way]) -> str | None:
        return next((self.pinned[way] for way in ways if way in self.pinned), None)


def take_census(markets: Iterable[ArbMarket]) -> Census:
    """Sort ArbMarkets as discovery needs them."""
    everything = sorted(markets, key=seniority)
    discovered: dict[str, ArbMarket] = {}
    surplus: list[ArbMarket] = []
    pinned: dict[Way, str] = {}
    for market in everything:
        if not is_discovered(market):
            pinned.update((way, market.metadata.name) for way in _ways(market) if way not in pinned)
        elif market.metadata.deleting or (condition_id := _condition_id(market)) is None:
            continue
        elif discovered.setdefault(condition_id, market) is not market:
            surplus.append(market)
    return Census(
        discovered=discovered,
        surplus=tuple(surplus),
        pinned=pinned,
        present=frozenset(found for market in everything if (found := _condition_id(market)) is not None),
        names=frozenset(market.metadata.name for market in everything),
    )


def _ways(market: ArbMarket) -> tuple[Way, ...]:
    known = market.status.market
    own = way_of(market.spec.market)
    return (own, *ways_to(known)) if known is not None else (own,)


def _condition_id(market: ArbMarket) -> str | None:
    if market.spec.market.condition_id is not None:
        return market.spec.market.condition_id
    return market.status.market.condition_id.lower() if market.status.market is not None else None


def _holds(market: ArbMarket) -> bool:
    position = market.status.position
    return position is not None and position != NO_SHARES and market.status.phase is not Phase.CLOSED
