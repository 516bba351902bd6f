"""What a wallet can spend, shared by all its markets, so that no two of them count on the same dollar.

A pair of which only one leg can be paid leaves a naked leg. So an engine holds the dollars of what it is about to send from the moment of
its decision until the end of every order is known, and nobody else counts on them meanwhile. The keeper reads the balance now and then;
between two readings the purse follows the fills.
"""

import logging
from typing import Final, Protocol

from kabobagool.clock import Clock
from kabobagool.domain.market import Side
from kabobagool.domain.money import Micros
from kabobagool.domain.position import Fill
from kabobagool.venue.errors import VenueError
from kabobagool.venue.rows import Balance

log = logging.getLogger(__name__)

COUNT_EVERY_S: Final = 30.0
COUNT_AGAIN_S: Final = 1.0
"""While orders are on their way a reading says nothing certain, and without one nothing is known: the next try is soon."""


class Purse:
    """`cash`: dollars the wallet has as far as is known, held ones included; None while it is not known, and in a dry run."""

    def __init__(self) -> None:
        self.cash: Micros | None = None
        self.changes = 0
        """Grows with every fill and refusal: whoever read a balance meanwhile must read again."""
        self.fills = 0
        self._held: dict[str, Micros] = {}

    @property
    def held(self) -> Micros:
        """Dollars held for orders that are about to leave, on their way, or of unknown end."""
        return sum(self._held.values())

    def has(self, dollars: Micros, *, market: str) -> bool:
        """Whether this market could pay so much now: what other markets hold is not there."""
        return self.cash is None or dollars <= self.cash - self.held + self._held.get(market, 0)

    def could_have(self, dollars: Micros) -> bool:
        """Whether it would be there if nobody held anything."""
        return self.cash is None or dollars <= self.cash

    def hold(self, dollars: Micros, *, market: str) -> None:
        """Keep so much for this market, in place of what was held for it before."""
        self._held[market] = dollars

    def release(self, *, market: str) -> None:
        """Nothing of this market is on its way any more."""
        self._held.pop(market, None)

    def write_off(self, *, market: str) -> None:
        """Nobody follows what this market held money for: it counts as spent until the balance is read again."""
        held = self._held.pop(market, 0)
        if held:
            self.changes += 1
            self.cash = None if self.cash is None else max(self.cash - held, 0)

    def follow(self, fill: Fill) -> None:
        """A fill moved dollars. What a sale brings can be spent when it has settled: a reading will show it."""
        self.changes += 1
        self.fills += 1
        if self.cash is not None and fill.side is Side.BUY:
            self.cash -= fill.dollars + fill.fee

    def ran_dry(self) -> None:
        """The venue refused for want of money: somebody else spends it too, so nothing is counted on before the balance was read."""
        self.changes += 1
        self.cash = 0


class BalanceReader(Protocol):
    """Reads what the wallet has."""

    async def balance(self) -> Balance:
        """Dollars and allowance. VenueError when they cannot be read."""
        ...


class PurseKeeper:
    """Tells the purse the wallet's balance, as a task of its own; one for each wallet."""

    def __init__(self, *, purse: Purse, reader: BalanceReader, clock: Clock) -> None:
        self._purse = purse
        self._reader = reader
        self._clock = clock
        self._fills_then = 0

    async def count(self) -> bool:
        """Read once; whether the reading could be used. VenueError when there was none.

        The venue's balance may still show what was spent a moment ago: a reading after fills can only lower what is counted on.
        """
        purse, changes, quiet = self._purse, self._purse.changes, self._purse.fills == self._fills_then
        self._fills_then = purse.fills
        balance = await self._reader.balance()
        if purse.held or purse.changes != changes:
            return False
        there = min(balance.amount_micros, balance.allowance_micros)
        purse.cash = there if quiet or purse.cash is None else min(there, purse.cash)
        return True

    async def run(self) -> None:
        """Count until cancelled."""
        counted = self._purse.cash is not None
        while True:
            await self._clock.sleep(COUNT_EVERY_S if counted else COUNT_AGAIN_S)
            try:
                counted = await self.count()
            except VenueError as e:
                counted = self._purse.cash is not None
                log.warning("the balance could not be read", extra={"error": str(e)})
