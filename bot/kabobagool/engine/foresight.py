"""Says what a market's bot would buy next, a little before it does, so that the orders are signed by then.

The rule itself is asked, with a limit that is a little kinder. An edge begins when one of the two prices moves, so the order of the other
leg is often the very one that was foreseen, and both are when an edge stands through a cooldown. It looks now and then and not at each
tick, so that a tick without an edge costs what it did. A part of a live `Bot`; what was foreseen in vain is dropped by
`execution/presigned.py`.
"""

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from kabobagool.clock import Clock
from kabobagool.domain.decision import decide
from kabobagool.domain.intent import Intent, OrderPlan
from kabobagool.domain.market import Market
from kabobagool.domain.money import Micros
from kabobagool.engine.market_engine import EngineState, MarketEngine

LOOK_EVERY_S: Final = 1.0
NEAR_MICROS: Final[Micros] = 80_000
"""How far above its limit a pair may cost to be near: a calm pair costs a dollar, the spread and up to 3.5 cents of fees."""

Foresee = Callable[[Sequence[OrderPlan], Market], None]
"""Has these orders of a market ready from now on, and no others."""


class Foresight:
    """Keeps the likely orders of one market ready."""

    def __init__(self, *, engine: MarketEngine, foresee: Foresee, clock: Clock) -> None:
        self._engine = engine
        self._foresee = foresee
        self._clock = clock
        policy = engine.strategy.policy
        self._kinder = msgspec.structs.replace(policy, pair_limit_micros=policy.pair_limit_micros + NEAR_MICROS)

    async def run(self) -> None:
        """Look until cancelled; nothing stays foreseen after that."""
        try:
            while True:
                await self._clock.sleep(LOOK_EVERY_S)
                self._foresee(self.likely(), self._engine.market)
        finally:
            self._foresee((), self._engine.market)

    def likely(self) -> Sequence[OrderPlan]:
        """The orders the bot would send if the pair cost a little less; none while it could not act, or on something else."""
        engine = self._engine
        if engine.state() not in {EngineState.WATCHING, EngineState.COOLDOWN}:
            return ()
        answer = decide(engine.view, engine.tracker.position, self._kinder, self._clock.now_ms())
        return answer.orders if isinstance(answer, Intent) else ()
