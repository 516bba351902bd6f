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
"""While orders are on their way a reading says nothing certain: the next try is soon."""


class Purse:
    """`cash`: dollars the wallet has as far as is known, held ones included; None while it is not known, and in a dry run."""

    def __init__(self) -> None:
        self.cash: Micros | None = None
        self.changes = 0
        """Grows with every fill: whoever read a balance meanwhile must read again."""
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

    def follow(self, fill: Fill) -> None:
        """A fill moved dollars."""
        self.changes += 1
        if self.cash is not None:
            self.cash += -fill.dollars - fill.fee if fill.side is Side.BUY else fill.dollars - fill.fee

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

    async def count(self) -> bool:
        """Read once; whether the reading could be used. VenueError when there was none."""
        before = self._purse.changes
        balance = await self._reader.balance()
        if self._purse.held or self._purse.changes != before:
            return False
        self._purse.cash = min(balance.amount_micros, balance.allowance_micros)
        return True

    async def run(self) -> None:
        """Count until cancelled."""
        counted = True
        while True:
            await self._clock.sleep(COUNT_EVERY_S if counted else COUNT_AGAIN_S)
            try:
                counted = await self.count()
            except VenueError as e:
                counted = True
                log.warning("the balance could not be read", extra={"error": str(e)})
