"""One market of a tape: the desk that applies what the venue said, the engine that trades on it, and notes of what both did.

Everything but the notes is what a live bot runs. `replayer.py` makes one for each market it meets and feeds its desk.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from kabobagool.clock import Clock
from kabobagool.domain.book import PairView
from kabobagool.domain.intent import OrderPlan, Purpose
from kabobagool.domain.market import Market
from kabobagool.domain.money import format_micros, format_price
from kabobagool.domain.outcome import Filled, OrderOutcome
from kabobagool.domain.position import Fill, Position
from kabobagool.engine.assembly import assemble_engine
from kabobagool.engine.order_flow import outcome_name
from kabobagool.engine.policy import policy_of
from kabobagool.execution.client import ExecutionClient
from kabobagool.execution.journal import JournalledIntent
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.market_desk import MarketDesk
from kabobagool.feed.settings import FeedSettings
from kabobagool.gate.interface import Answer, Granted, OrderGate
from kabobagool.replay.decision_log import DecisionLog, EdgeLine, OrderLine
from kabobagool.replay.edges import Edge, ToldEdgeTruth, shares_on_both
from kabobagool.replay.episodes import ACTED_ON, Episode, EpisodeWatch
from kabobagool.replay.pair_trace import PairTrace
from kabobagool.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What all markets of a replay share, as all markets of one wallet do."""

    settings: Settings
    clock: Clock
    gate: OrderGate
    execution: ExecutionClient
    log: DecisionLog
    counters: FeedCounters


class UnwrittenJournal:
    """An `OrderJournal` for orders that nobody will ever look up: they end with the replay."""

    def note(self, intent: JournalledIntent) -> None:
        """Nothing survives a replay."""

    def withdraw(self, intent: JournalledIntent) -> None:
        """Nothing survives a replay."""

    async def record(self, intent: JournalledIntent) -> None:
        """Nothing survives a replay."""

    async def mark(self, order_hash: str, outcome: OrderOutcome) -> None:
        """Nothing survives a replay."""


class MarketRun:
    """A market from its first record on. Also the engine's observer."""

    def __init__(self, market: Market, stage: Stage, *, on_episode: Callable[[Episode], None]) -> None:
        self.orders: Counter[str] = Counter()
        self.orphans = 0
        self.gate_refusals: Counter[str] = Counter()
        self.trace = PairTrace()
        self.undecided = 0
        self._stage = stage
        self._naked = False
        self._on_episode = on_episode
        self._over: list[Episode] = []
        self._show: Callable[[PairView], None] = lambda view: None
        self.episodes = EpisodeWatch(policy_of(stage.settings), self._episode_over)
        self.desk = MarketDesk(market, on_view=self._on_view, settings=FeedSettings(), counters=stage.counters, now_ms=stage.clock.now_ms())
        self.engine = assemble_engine(
            stage.settings,
            attach=self._attach,
            execution=stage.execution,
            journal=UnwrittenJournal(),
            gate=stage.gate,
            clock=stage.clock,
            observer=self,
            counters=stage.counters,
        )
        self.truth = ToldEdgeTruth(self._see, self._on_verdict)
        self.engine.strategy.truth = self.truth
        self.engine.on_booked = self._settle

    def stop(self) -> None:
        """The tape is over: nothing new is begun, and nobody knows how long an episode would have lasted."""
        self.engine.stopping = True
        self.episodes.end(self._stage.clock.now_ms(), cut_short=True)

    def end(self) -> None:
        """What was on its way has arrived: whatever is not decided now never will be."""
        self.undecided += self.truth.end()

    def order_ended(self, plan: OrderPlan, purpose: Purpose, outcome: OrderOutcome, latency_s: float) -> None:
        """Note an order and its end."""
        now_ms = self._stage.clock.now_ms()
        got = outcome if isinstance(outcome, Filled) else Filled(0, 0, 0)
        self.orders[outcome_name(outcome)] += 1
        self._stage.log.add(
            OrderLine(
                market=self.desk.view.market.slug,
                sent_ms=now_ms - round(latency_s * 1000),
                ended_ms=now_ms,
                purpose=purpose.value,
                leg=plan.outcome.name,
                side=plan.side.value,
                price=format_price(plan.price),
                shares=format_micros(plan.shares),
                outcome=outcome_name(outcome),
                got_shares=format_micros(got.shares),
                dollars=format_micros(got.dollars),
                fee=format_micros(got.fee),
            )
        )

    def order_found(self, plan: OrderPlan, outcome: OrderOutcome) -> None:
        """Simulated orders are never lost, so none is ever found."""

    def position(self, position: Position, *, naked: bool) -> None:
        """Count how often a leg became naked."""
        self.orphans += naked and not self._naked
        self._naked = naked

    def gate(self, answer: Answer) -> None:
        """Count refusals by their reason."""
        if not isinstance(answer, Granted):
            self.gate_refusals[answer.reason.value] += 1

    def _attach(self, on_view: Callable[[PairView], None]) -> PairView:
        self._show = on_view
        return self.desk.view

    def _on_view(self, view: PairView) -> None:
        """The episode comes first, so that an edge finds the one it belongs to."""
        now_ms = self._stage.clock.now_ms()
        self.episodes.look(view, now_ms)
        if view.yes.has_snapshot and view.no.has_snapshot:
            self.trace.push(now_ms, view.yes.best_ask + view.no.best_ask)
        self._show(view)

    def _see(self) -> Edge:
        view = self.desk.view
        return Edge(self._stage.clock.now_ms(), view.yes.best_ask, view.no.best_ask, shares_on_both(view), self.episodes.current)

    def _on_verdict(self, edge: Edge, verdict: str) -> None:
        if edge.episode is not None:
            edge.episode.verdicts[verdict] += 1
            edge.episode.acted_on |= verdict == ACTED_ON
        self._stage.log.add(
            EdgeLine(
                market=self.desk.view.market.slug,
                seen_ms=edge.seen_ms,
                decided_ms=self._stage.clock.now_ms(),
                ask_yes=format_price(edge.ask_yes),
                ask_no=format_price(edge.ask_no),
                shares=format_micros(edge.shares),
                verdict=verdict,
            )
        )
        self._tell_episodes()

    def _episode_over(self, episode: Episode) -> None:
        self._over.append(episode)
        self._tell_episodes()

    def _tell_episodes(self) -> None:
        """An episode can be shorter than the decision about its edge: it is told once nothing waits for a verdict."""
        while self._over and not self.truth.waiting:
            self._on_episode(self._over.pop(0))

    def _settle(self, order_hash: str, fill: Fill) -> None:
        """A simulated fill is final at once."""
        self.engine.tracker.book(order_hash, fill, now_ms=self._stage.clock.now_ms(), settled=True)
