"""Under any mixture of frames, replies, losses and failures the engine keeps its promises, and it comes to rest when the trouble ends."""

import asyncio
import shutil
import tempfile
from collections.abc import Coroutine
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from tests.support.engine_rig import EngineRig, Found, Reply, fill, fill_with_extra, make_rig

from kabobagool.domain.edge import Policy
from kabobagool.domain.intent import OrderPlan
from kabobagool.domain.market import Side
from kabobagool.domain.money import parse_micros
from kabobagool.domain.outcome import Delayed, Killed, Rejected, Rejection, Unknown
from kabobagool.domain.position import position_of
from kabobagool.engine.market_engine import EngineState

POLICY = Policy(batch_shares=parse_micros("10"), orphan_loss_cap=parse_micros("100"), max_position=parse_micros("200"))
PASSING = [
    reason for reason in Rejection if reason.value in {"balance", "tick_size", "rate_limited", "restarting", "market_closed", "other"}
]
REPLIES = st.one_of(
    st.sampled_from([fill, fill, fill_with_extra("0.5"), Killed(), Killed(), Delayed(), Unknown(), OSError("lost"), ZeroDivisionError()]),
    st.builds(Rejected, st.sampled_from(PASSING), st.just("no"), st.sampled_from([0.0, 3.0])),
)
FINDINGS = st.sampled_from([None, OSError("lost"), Delayed(), Unknown(), Killed("never arrived"), fill])
ASKS = st.sampled_from(["0.40", "0.45", "0.48", "0.55", "0.60"])
DEPTHS = st.sampled_from(["4", "7", "12", "500"])
LONGEST_COOLDOWN_S = 60
SUBMITS_IN_A_BAD_MINUTE = 10


class EngineUnderFire(RuleBasedStateMachine):
    """One engine, one market, and everything that can happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = Path(tempfile.mkdtemp(prefix="engine-"))
        self.broken_promises: list[str] = []
        self.rig: EngineRig = self.loop.run_until_complete(make_rig(self.folder, policy=POLICY))
        self.rig.execution.before_sending = self.watch_order
        self.do(self.started())

    async def started(self) -> None:
        self.rig.start()
        await self.rig.settle()

    def do(self, work: Coroutine[None, None, None]) -> None:
        self.loop.run_until_complete(work)

    def watch_order(self, plan: OrderPlan) -> None:
        rig, position = self.rig, self.rig.tracker.position
        if rig.unknown.open:
            self.broken_promises.append(f"sent {plan} while the end of an order was unknown")
        closes = (plan.outcome is not position.heavy) if plan.side is Side.BUY else (plan.outcome is position.heavy)
        if rig.strategy.naked and not closes:
            self.broken_promises.append(f"sent {plan} while a leg was naked by {position.imbalance}")

    @rule(yes=ASKS, no=ASKS, depth=DEPTHS, other_depth=DEPTHS)
    def a_frame_arrives(self, yes: str, no: str, depth: str, other_depth: str) -> None:
        self.do(self.rig.show(yes, no, yes_depth=depth, no_depth=other_depth))

    @rule(replies=st.lists(REPLIES, min_size=1, max_size=3))
    def the_venue_will_say(self, replies: list[Reply]) -> None:
        self.rig.execution.replies.extend(replies)

    @rule(findings=st.lists(FINDINGS, min_size=1, max_size=3))
    def a_look_up_will_find(self, findings: list[Found]) -> None:
        self.rig.execution.found.extend(findings)

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 5.0, 40.0]))
    def time_passes(self, seconds: float) -> None:
        self.do(self.rig.clock.advance(seconds))

    @rule(back=st.booleans())
    def the_socket_drops(self, back: bool) -> None:
        self.rig.view.invalidate()
        self.do(self.rig.settle())
        if back:
            self.do(self.rig.show("0.48", "0.45"))

    @rule(oldest=st.booleans())
    def a_trade_fails_to_settle(self, oldest: bool) -> None:
        fills = self.rig.execution.fills
        if fills:
            order_hash = next(iter(fills)) if oldest else next(reversed(fills))
            del fills[order_hash]
            self.rig.tracker.remove(order_hash)
            self.rig.engine.booked()
            self.do(self.rig.settle())

    @rule()
    def everything_settles(self) -> None:
        for order_hash, settled in self.rig.execution.fills.items():
            self.rig.tracker.book(order_hash, settled, now_ms=self.rig.clock.now_ms(), settled=True)
        self.rig.engine.booked()

    @invariant()
    def the_engine_is_alive(self) -> None:
        assert self.rig.alive()

    @invariant()
    def no_order_is_sent_twice_and_none_beside_another(self) -> None:
        assert set(self.rig.execution.submits.values()) <= {1}
        assert self.rig.execution.most_on_their_way <= 1
        assert self.broken_promises == []

    @invariant()
    def at_most_one_order_has_an_unknown_end(self) -> None:
        assert len(self.rig.unknown.open) <= 1

    @invariant()
    def the_position_is_the_sum_of_the_fills(self) -> None:
        position, expected = self.rig.tracker.position, position_of(self.rig.execution.fills.values())
        assert (position.yes, position.no) == (expected.yes, expected.no)
        assert self.rig.strategy.position == position

    @invariant()
    def every_edge_is_accounted_for(self) -> None:
        assert self.rig.unaccounted() == 0

    async def a_minute_of_kills(self) -> None:
        """Nothing fills for a minute of lively edges: how often does it try?"""
        self.rig.execution.replies.clear()
        self.rig.execution.otherwise = Killed()
        sent_before = len(self.rig.execution.sent)
        await self.rig.show_for(60, "0.48", "0.45", every_s=1.0)
        assert len(self.rig.execution.sent) - sent_before <= SUBMITS_IN_A_BAD_MINUTE

    async def the_trouble_ends(self) -> None:
        """Orders fill, look-ups find, the feed is lively: a naked leg is closed and the market is watched again."""
        rig = self.rig
        rig.execution.found.clear()
        rig.execution.otherwise = rig.execution.otherwise_found = fill
        await rig.show_for(2 * LONGEST_COOLDOWN_S, "0.60", "0.45", every_s=1.0, yes_depth="1000", no_depth="1000")
        assert rig.engine.state() is EngineState.WATCHING
        assert abs(rig.tracker.position.imbalance) < rig.view.market.min_order_shares
        assert await rig.journal.open_orders(rig.view.market.condition_id) == []

    def teardown(self) -> None:
        try:
            if self.rig.alive():
                self.do(self.a_minute_of_kills())
                self.do(self.the_trouble_ends())
        finally:
            self.do(self.rig.stop())
            self.loop.close()
            shutil.rmtree(self.folder)


TestEngineUnderFire = EngineUnderFire.TestCase
TestEngineUnderFire.settings = settings(
    max_examples=40,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
