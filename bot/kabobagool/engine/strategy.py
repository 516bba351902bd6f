"""KabobagoolStrategy: when to ask the rule, and the honest count of what it answered.

The feed calls `on_view` after every whole frame, synchronously. Nearly always the two asks sum to a dollar or more, and one addition and
one comparison end the matter. Otherwise the pure rule in `domain/decision.py` is asked and its answer counted once; an intent wakes the
engine, which asks again (`propose`) at the moment it can really act, because only the view at that moment counts.
"""

from collections.abc import Callable
from typing import Final

from kabobagool.clock import Clock
from kabobagool.domain.book import PairView
from kabobagool.domain.decision import decide
from kabobagool.domain.edge import Policy, Reason
from kabobagool.domain.intent import Intent, Reject
from kabobagool.domain.money import PRICE_ONE, Price
from kabobagool.domain.position import EMPTY, Position
from kabobagool.engine.edge_truth import EdgeTruth

ALWAYS: Final = 3 * PRICE_ONE
"""A threshold no sum of asks reaches: every view is looked at."""


class KabobagoolStrategy:
    """The rule, the current position and whether an edge is being acted on; no I/O.

    `blocked` answers why the engine could not act on an intent now (a cooldown, a frozen market): edges seen meanwhile are counted under
    that reason, so that every edge seen ends up either acted on or rejected, never lost.
    """

    __slots__ = (
        "_ask_below",
        "_clock",
        "_looked_again",
        "_wake",
        "blocked",
        "decided",
        "decisions",
        "naked",
        "pending",
        "policy",
        "position",
        "ticks",
        "truth",
    )

    def __init__(self, *, policy: Policy, clock: Clock, wake: Callable[[], None]) -> None:
        self.policy = policy
        self.truth = EdgeTruth()
        self.position: Position = EMPTY
        self.blocked: Callable[[Intent], Reason | None] = lambda intent: None
        self.decided: Callable[[float, float], None] | None = None
        """Told of each decision: the seconds it took, and the age in seconds of the older leg it was about."""
        self.pending = False
        self.naked = False
        self.ticks = 0
        self.decisions = 0
        self._clock = clock
        self._wake = wake
        self._looked_again = False
        self._ask_below = PRICE_ONE if policy.paired else ALWAYS

    def on_tick(self, ask_yes: Price, ask_no: Price) -> bool:
        """Whether these asks are worth a decision: the whole cost of a tick that is not."""
        if ask_yes + ask_no < self._ask_below:  # noqa: SIM103 - the interpreter specialises a comparison only before a jump
            return True
        return False

    def on_view(self, view: PairView) -> None:
        """Called by the feed after each whole frame; never waits."""
        self.ticks += 1
        self._looked_again = False
        asks = view.yes.best_ask + view.no.best_ask
        if asks < self._ask_below:
            self._decide(view, looks_like_an_edge=asks < PRICE_ONE)

    def look_again(self, view: PairView) -> None:
        """After an attempt or a pause: act on an edge that still stands in books that do not move.

        Counted only when it is acted on, and tried once a frame or send: what made an attempt be given up would do so again at once.
        """
        if self.pending or self.naked or self._looked_again or not self.on_tick(view.yes.best_ask, view.no.best_ask):
            return
        answer = self.propose(view)
        if isinstance(answer, Intent) and self.blocked(answer) is None:
            self._looked_again = True
            self.truth.seen += 1
            self.pending = True
            self._wake()

    def set_position(self, position: Position, *, naked: bool) -> None:
        """Take over a new position; while a leg is naked every view matters, not only those that look like an edge."""
        self.position = position
        self.naked = naked
        self._ask_below = PRICE_ONE if self.policy.paired and not naked else ALWAYS

    def propose(self, view: PairView) -> Intent | Reject:
        """What the rule says of this view now; uncounted."""
        return decide(view, self.position, self.policy, self._clock.now_ms())

    def acted(self) -> None:
        """The pending edge became an order that left."""
        if self.pending:
            self.truth.acted_on += 1
        self.pending = False
        self._looked_again = False

    def gave_up(self, reason: str) -> None:
        """The pending edge was gone, or not allowed, by the time it could be acted on."""
        if self.pending:
            self.truth.reject(reason)
        self.pending = False

    def _decide(self, view: PairView, *, looks_like_an_edge: bool) -> None:
        self.decisions += 1
        answer = self.propose(view) if self.decided is None else self._timed_proposal(view, self.decided)
        reason = answer.reason if isinstance(answer, Reject) else self._obstacle(answer)
        if looks_like_an_edge or isinstance(answer, Intent):
            self.truth.seen += 1
            if reason is not None:
                self.truth.reject(reason)
        if reason is None:
            self.pending = True
        if reason is None or self.naked:
            self._wake()

    def _timed_proposal(self, view: PairView, decided: Callable[[float, float], None]) -> Intent | Reject:
        started = self._clock.monotonic()
        answer = self.propose(view)
        age_ms = self._clock.now_ms() - min(view.yes.venue_ms, view.no.venue_ms)
        decided(self._clock.monotonic() - started, max(age_ms, 0) / 1000)
        return answer

    def _obstacle(self, intent: Intent) -> Reason | None:
        return Reason.ORDER_IN_FLIGHT if self.pending else self.blocked(intent)
