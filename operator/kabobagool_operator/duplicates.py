"""Which ArbMarkets ask for a market that another one trades already with the same wallet: one of them trades, the others say so.

Two bots of one wallet in one market would only take the lease from each other. `observe.py` asks with all ArbMarkets there are. Pure.
"""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.labels import DISCOVERED, origin_of
from kabobagool_operator.names import Wallets

NEVER: Final = datetime.max.replace(tzinfo=UTC)
Seniority = tuple[bool, datetime, str]


def duplicates(markets: Iterable[ArbMarket], *, condition_id: Callable[[ArbMarket], str | None], wallets: Wallets) -> dict[str, str]:
    """Name of each ArbMarket that must not trade to the name of the one that does: pinned before discovered, then the older.

    `condition_id` says which market it is, None while that is not known. One that is being deleted counts until it is gone: its bot may
    still hedge.
    """
    groups: dict[tuple[str, str], list[ArbMarket]] = {}
    for market in markets:
        if (identity := condition_id(market)) is not None:
            groups.setdefault((identity, _purse(market, wallets)), []).append(market)
    return dict(pair for group in groups.values() if len(group) > 1 for pair in _rivals(group))


def is_discovered(market: ArbMarket) -> bool:
    """Whether discovery made it; everything else is pinned, whoever applied it."""
    return origin_of(market.metadata.labels) == DISCOVERED


def seniority(market: ArbMarket) -> Seniority:
    """Sorts those of one market: the first one trades."""
    return is_discovered(market), market.metadata.creation_timestamp or NEVER, market.metadata.uid


def _rivals(group: list[ArbMarket]) -> list[tuple[str, str]]:
    first, *others = sorted(group, key=seniority)
    return [(other.metadata.name, first.metadata.name) for other in others]


def _purse(market: ArbMarket, wallets: Wallets) -> str:
    """Whose money: the wallet, and where no address is known the Secret that holds its key."""
    wallet = wallets.name(market.spec)
    if wallet is not None:
        return wallet
    return f"secret {market.spec.credentials.secret_name}" if market.spec.credentials else ""
