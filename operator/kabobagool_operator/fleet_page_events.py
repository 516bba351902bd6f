"""The last Events of each ArbMarket, as far as this process posted them: for the fleet's page, which asks nobody.

`events.py` notes each one it posts. The operator may create Events and not read them; what another leader posted before is in
`kubectl describe arb`.
"""

from collections import OrderedDict
from typing import Final

from kabobagool.clock import Clock
from kabobagool_operator.arbmarket import Metadata
from kabobagool_operator.fleet_page_facts import SaidEvent
from kabobagool_operator.plan_types import Notice

KEPT: Final = 6
MARKETS: Final = 5000


class RecentEvents:
    """The newest first; of an ArbMarket that was made anew under an old name only its own. The longest quiet is forgotten first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._said: OrderedDict[str, tuple[str, tuple[SaidEvent, ...]]] = OrderedDict()

    def note(self, market: Metadata, notice: Notice) -> None:
        """This Event is posted now."""
        said = SaidEvent(at_ms=self._clock.now_ms(), reason=notice.reason, message=notice.message, warning=notice.warning)
        self._said[market.name] = (market.uid, (said, *self.of(market))[:KEPT])
        self._said.move_to_end(market.name)
        while len(self._said) > MARKETS:
            self._said.popitem(last=False)

    def of(self, market: Metadata) -> tuple[SaidEvent, ...]:
        """What was posted about an ArbMarket."""
        uid, said = self._said.get(market.name, (market.uid, ()))
        return said if uid == market.uid else ()
