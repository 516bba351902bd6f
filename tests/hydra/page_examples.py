"""A desk with as many markets as a test wants, whose numbers change when the test says so.

The server's and the page's tests share it, and so do the screenshots. It keeps the contract of `FleetDesk`: a halt of a market that is not
there is a KeyError, and what was asked is remembered with who asked and why.
"""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from kabobagool.domain.money import MICRO, MICROS_PER_PRICE, PRICE_ONE, format_micros, format_price
from kabobagool.engine.snapshot import PositionSnapshot, RuntimeSnapshot
from kabobagool.gate.interface import WALLET, Halt
from kabobagool.hydra.fleet_snapshot import DiscoveryView, FeedView, FleetSnapshot, MarketRow, RetiredMarket, Totals
from kabobagool.telemetry.health import HealthReason, HealthReport

NOON_MS = 1_795_305_600_000
SUBJECTS = (
    "it rain in London on 1 December",
    "the new stadium open before March",
    "the central bank hold its rate in January",
    "the spacecraft reach orbit at its first attempt",
    "the library stay open on Sundays",
    "the harbour freeze before Christmas",
    "the orchestra play the ninth in the park",
    "the bridge be finished this winter",
    "the chess final go to a tie-break",
    "the comet be visible to the naked eye",
    "the ferry run on New Year's Eve",
    "wheat close above $6.50 on Friday",
)
GHOSTS = ("legs_apart_in_time", "leg_too_old", "fees_eat_the_edge", "mirror_broken", "too_thin", "pair_cost_too_high", "frame_half_applied")
GHOST_WEIGHTS = (60, 14, 10, 6, 4, 3, 2)
NOTHING = PositionSnapshot(
    shares_yes="0", shares_no="0", average_yes="0", average_no="0", pairs="0", imbalance="0", spent="0", fees="0", locked_profit="0"
)


def condition_id(number: int) -> str:
    return f"0x{number:064x}"


def quiet_market(number: int, *, question: str | None = None) -> MarketRow:
    """A market that is watched and in which nothing happened yet."""
    subject = SUBJECTS[number % len(SUBJECTS)]
    edition = number // len(SUBJECTS)
    title = f"Will {subject}" + (f" ({edition + 1})?" if edition else "?")
    bot = RuntimeSnapshot(
        market="".join(c if c.isalnum() else "-" for c in title.lower()).strip("-").replace("--", "-"),
        condition_id=condition_id(number),
        question=question or title,
        mode="dry_run",
        state="watching",
        reasons=(),
        at_ms=NOON_MS,
        ask_yes="0.52",
        ask_no="0.5",
        pair_cost="1.02",
        pair_cost_after_fees="1.0325",
        feed_age_s=0.2,
        connected=True,
        position=NOTHING,
        unsettled_orders=0,
        frozen_orders=(),
        last_fill_ms=None,
        frames=0,
        ticks=0,
        decisions=0,
        edges_seen=0,
        edges_acted_on=0,
        edges_rejected={},
        orders={},
        fills=0,
        naked=False,
        cooldown_s=0.0,
    )
    return MarketRow(bot=bot, phase="running")


def holding(pairs: int, cost_each: int, *, imbalance: int = 0) -> PositionSnapshot:
    """So many pairs at so many millionths of a dollar each, and so many shares of YES (NO when negative) beyond them."""
    yes, no = pairs + max(imbalance, 0), pairs - min(imbalance, 0)
    spent = pairs * cost_each + abs(imbalance) * 480_000
    return PositionSnapshot(
        shares_yes=str(yes),
        shares_no=str(no),
        average_yes="0.48",
        average_no=format_micros(cost_each - 480_000 - 12_500),
        pairs=str(pairs),
        imbalance=str(imbalance),
        spent=format_micros(spent),
        fees=format_micros(pairs * 12_500),
        locked_profit=format_micros(pairs * MICRO - spent),
    )


class ScriptedDesk:
    """A fleet of `count` markets; `step` lets a second pass in it, everything else is set by hand through `change`."""

    def __init__(self, count: int = 3, *, seed: int = 7, mode: str = "dry_run") -> None:
        self.rows = {condition_id(number): quiet_market(number) for number in range(count)}
        self.fleet: dict[str, Any] = {
            "profile": "careful",
            "mode": mode,
            "play_money": False,
            "wallet": "0x2f1C9e0bA7d35F6E84a1bCdD0123456789aBcDeF" if mode == "live" else None,
            "state": "running",
            "retired": (),
            "discovery": DiscoveryView(at_ms=NOON_MS, qualifying=count, rejected={}, listed=count, cache_age_s=12, trouble=None),
            "feed": FeedView(sockets=(count,), frames=0, events=0, conflated=0, connects=1, reconnects={}),
        }
        self.halted: dict[str, Halt] = {}
        self.resumed: list[tuple[str, str]] = []
        self.reasons: tuple[HealthReason, ...] = ()
        self.failure: Exception | None = None
        self.asked = 0
        self.now_ms = NOON_MS + 3_723_000
        self._rng = random.Random(seed)
        self._ticks = {market: self._rng.randrange(1500, 8500, 100) for market in self.rows}

    def change(self, number: int, *, row: Mapping[str, Any] | None = None, **bot: Any) -> None:
        """Set fields of a market's bot, or of its row."""
        known = self.rows[condition_id(number)]
        self.rows[condition_id(number)] = replace(known, bot=replace(known.bot, **bot), **(row or {}))

    def retire(self, number: int, *, reason: str = "resolved", profit: str | None = "1.2") -> None:
        """Take a market out of the fleet, as the supervisor does with one that ended."""
        bot = self.rows.pop(condition_id(number)).bot
        left = RetiredMarket(
            market=bot.market,
            condition_id=bot.condition_id,
            question=bot.question,
            reason=reason,
            at_ms=self.now_ms,
            pairs=bot.position.pairs,
            imbalance=bot.position.imbalance,
            spent=bot.position.spent,
            fees=bot.position.fees,
            payout=None if profit is None else bot.position.pairs,
            profit=profit,
        )
        self.fleet["retired"] = (*self.fleet["retired"], left)

    def step(self, seconds: float = 1.0) -> None:
        """Let time pass: prices walk, feeds age and are heard of again, ghosts are seen and refused."""
        self.now_ms += round(seconds * 1000)
        for number, row in enumerate(self.rows.values()):
            if row.phase == "running" and row.bot.connected:
                self._walk(number, row)
        feed: FeedView = self.fleet["feed"]
        self.fleet["feed"] = replace(feed, frames=feed.frames + 3 * len(self.rows), events=feed.events + 5 * len(self.rows))

    def _walk(self, number: int, row: MarketRow) -> None:
        rng, market = self._rng, row.bot.condition_id
        yes = self._ticks[market] = min(max(self._ticks[market] + rng.choice((-100, 0, 0, 0, 0, 100)), 300), 9700)
        ghost = rng.random() < 0.02
        no = PRICE_ONE - yes + (-100 if ghost else 100 + 100 * (number % 2) * (rng.random() < 0.7))
        fees = sum(MICRO * (number % 3) * 15 // 1000 * price * (PRICE_ONE - price) // PRICE_ONE**2 for price in (yes, no))
        bot = row.bot
        rejected = dict(bot.edges_rejected)
        if ghost:
            reason = rng.choices(GHOSTS, GHOST_WEIGHTS)[0]
            rejected[reason] = rejected.get(reason, 0) + 1
        self.change(
            int(market, 16),
            ask_yes=format_price(yes),
            ask_no=format_price(no),
            pair_cost=format_price(yes + no),
            pair_cost_after_fees=format_micros((yes + no) * MICROS_PER_PRICE + fees),
            feed_age_s=round(rng.random(), 3),
            at_ms=self.now_ms,
            frames=bot.frames + 3,
            ticks=bot.ticks + 3,
            edges_seen=bot.edges_seen + ghost,
            edges_rejected=rejected,
        )

    async def snapshot(self) -> FleetSnapshot:
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        rows = tuple(replace(row, halted=market in self.halted or WALLET in self.halted) for market, row in self.rows.items())
        return FleetSnapshot(
            at_ms=self.now_ms, started_ms=NOON_MS, markets=rows, totals=self._totals(), halts=tuple(self.halted.values()), **self.fleet
        )

    def health(self) -> HealthReport:
        return HealthReport(reasons=self.reasons, feed_age_s=0.1, details={"markets": len(self.rows)})

    def prices(self) -> Mapping[str, int | None]:
        return {market: _micros(row.bot.pair_cost_after_fees) for market, row in self.rows.items()}

    async def halt(self, *, scope: str, who: str, why: str) -> None:
        if scope != WALLET and scope not in self.rows:
            raise KeyError(scope)
        self.halted[scope] = Halt(scope=scope, who=who, why=why, since_ms=self.now_ms)

    async def resume(self, *, scope: str, who: str) -> None:
        self.resumed.append((scope, who))
        self.halted.pop(scope, None)

    def _totals(self) -> Totals:
        bots = [row.bot for row in self.rows.values()]
        rejected: Counter[str] = Counter()
        orders: Counter[str] = Counter()
        for bot in bots:
            rejected.update(bot.edges_rejected)
            orders.update(bot.orders)
        return Totals(
            markets=len(bots),
            pairs=_sum(bot.position.pairs for bot in bots),
            spent=_sum(bot.position.spent for bot in bots),
            fees=_sum(bot.position.fees for bot in bots),
            locked_profit=_sum(bot.position.locked_profit for bot in bots),
            paid_out=_sum(left.payout or "0" for left in self.fleet["retired"]),
            edges_seen=sum(bot.edges_seen for bot in bots),
            edges_acted_on=sum(bot.edges_acted_on for bot in bots),
            edges_rejected=dict(sorted(rejected.items())),
            orders=dict(sorted(orders.items())),
            fills=sum(bot.fills for bot in bots),
        )


def _micros(text: str | None) -> int | None:
    return None if text is None else round(float(text) * MICRO)


def _sum(amounts: Any) -> str:
    return format_micros(sum(round(float(text) * MICRO) for text in amounts))


def busy_desk(count: int = 24, *, mode: str = "dry_run") -> ScriptedDesk:
    """A fleet on an ordinary day, with one of everything that can be wrong: what the screenshots show."""
    desk = ScriptedDesk(count, mode=mode)
    for number in range(min(count, 9)):
        fills = 2 * (number % 4 + 1)
        desk.change(
            number,
            position=holding(20 * (number + 1), 962_000 + 3_000 * number),
            orders={"filled": fills} | ({"killed": number % 3} if number % 3 else {}),
            fills=fills,
            edges_seen=36 + 10 * number + fills // 2,
            edges_acted_on=fills // 2,
            edges_rejected={"legs_apart_in_time": 30 + 9 * number, "leg_too_old": number + 2, "fees_eat_the_edge": 4},
            last_fill_ms=NOON_MS + 400_000 * (number + 1),
        )
    if count >= 12:
        _things_that_are_wrong(desk)
    for _ in range(120):
        desk.step()
    rejected = {"volume_too_low": 212, "ends_too_late": 131, "taker_delay": 64, "book_one_sided": 31, "ends_too_soon": 18, "version": 4}
    desk.fleet["discovery"] = DiscoveryView(
        at_ms=desk.now_ms - 134_000,
        qualifying=count,
        rejected=rejected,
        listed=count + sum(rejected.values()),
        cache_age_s=41,
        trouble=None,
    )
    desk.fleet["feed"] = FeedView(
        sockets=(count - count // 2, count // 2), frames=418_302, events=1_204_771, conflated=3_914, connects=4, reconnects={"closed": 2}
    )
    return desk


def _things_that_are_wrong(desk: ScriptedDesk) -> None:
    desk.change(4, state="orphan", naked=True, position=holding(100, 974_000, imbalance=12), orders={"filled": 9, "killed": 1})
    desk.change(7, state="frozen", frozen_orders=("0x" + "5e" * 32,), orders={"filled": 7, "unknown": 1})
    desk.change(9, state="cooldown", cooldown_s=0.5, orders={"killed": 2})
    desk.change(10, feed_age_s=41.2, connected=False, ask_no=None, pair_cost=None, pair_cost_after_fees=None)
    trouble = "ConnectionError: the venue closed the stream"
    desk.change(11, row={"phase": "waiting", "restarts": 2, "restart_in_s": 8.0, "trouble": trouble}, connected=False)
    desk.halted[condition_id(2)] = Halt(scope=condition_id(2), who="page 127.0.0.1", why="news at noon", since_ms=NOON_MS + 3_600_000)
