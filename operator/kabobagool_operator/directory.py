"""Which ArbMarket is which market at the venue and at the order gate, and which of them must not trade because another one does.

`fleet.py` has it renewed when something changed; the gate view asks which markets matter in which wallet, and calls out condition ids that
are turned into names here.
"""

from collections.abc import Callable, Collection, Iterable, Mapping

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_status import MarketFacts
from kabobagool_operator.duplicates import duplicates
from kabobagool_operator.facts import Resolution
from kabobagool_operator.names import Wallets


class Directory:
    """As of its last renewal. `look` is what the resolver knows of an ArbMarket's market, `condition_id` which market it is."""

    def __init__(
        self,
        look: Callable[[ArbMarket], Resolution | None],
        condition_id: Callable[[ArbMarket], str | None],
        *,
        wallets: Wallets,
    ) -> None:
        self._look = look
        self._condition_id = condition_id
        self._known_wallets = wallets
        self._wallets: dict[str, list[str]] = {}
        self._names: dict[str, list[str]] = {}
        self._duplicates: dict[str, str] = {}

    @property
    def wallets(self) -> Mapping[str, Collection[str]]:
        """The condition ids of each wallet's markets, as the venue writes them."""
        return self._wallets

    def names(self, condition_id: str) -> Iterable[str]:
        """The ArbMarkets of a market."""
        return self._names.get(condition_id, ())

    def duplicate_of(self, name: str) -> str | None:
        """The ArbMarket that trades in place of this one, None when it may trade itself."""
        return self._duplicates.get(name)

    def facts(self, market: ArbMarket) -> MarketFacts | None:
        """What the venue says, or ever said, of an ArbMarket's market."""
        found = self._look(market)
        return (found.facts if found is not None else None) or market.status.market

    def renew(self, markets: Collection[ArbMarket]) -> set[str]:
        """Take in all ArbMarkets there are. Names of those that became a duplicate, or of another one, or are one no longer."""
        wallets: dict[str, list[str]] = {}
        names: dict[str, list[str]] = {}
        for market in markets:
            self._enter(market, wallets, names)
        before, self._wallets, self._names = self._duplicates, wallets, names
        self._duplicates = duplicates(markets, condition_id=self._condition_id, wallets=self._known_wallets)
        return {name for name in before.keys() | self._duplicates.keys() if before.get(name) != self._duplicates.get(name)}

    def _enter(self, market: ArbMarket, wallets: dict[str, list[str]], names: dict[str, list[str]]) -> None:
        facts = self.facts(market)
        if facts is None:
            return
        names.setdefault(facts.condition_id, []).append(market.metadata.name)
        if (wallet := self._known_wallets.name(market.spec)) is not None:
            wallets.setdefault(wallet, []).append(facts.condition_id)
