"""A history from a seed: stormy minutes of edges and troubles, which mostly come when there is something to lose, and quiet hours between.

`random_history` is what everybody calls. The last minutes are free of trouble and hold one last edge: whoever survived must trade it.
"""

import random
from collections.abc import Callable
from typing import Final

from msgspec.structs import replace
from tests.simulation.books import recorded_slugs
from tests.simulation.history import (
    Anything,
    BadReads,
    Burst,
    ClockStep,
    DiskFull,
    Edge,
    GateAway,
    GateFlushed,
    Halt,
    History,
    HostPlan,
    Kill,
    MarketPlan,
    NetworkDown,
    Silence,
    SlowNetwork,
    Stop,
    StrangeFrame,
    VenueFault,
)
from tests.simulation.quiet import Quiet, with_quiet

from paper_exchange.faults import FaultKind

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
CALM_MS: Final = 5 * MINUTE
"""Between the last trouble and the last edge: cooldowns end, looks-up end, settlements end."""
AFTERWARDS_MS: Final = 2 * MINUTE
FINALE_MS: Final = 20 * SECOND
AROUND_MS: Final = (-2_000, -500, -100, 0, 100, 300, 600, 1_200, 3_000)
"""Trouble comes so long after an edge or a burst begins."""
QUIET_H: Final = (0.1, 0.5, 1, 3)
QUIET_EVERY: Final = 4
"""One history in so many has quiet hours: there is less to find in them, and they take as long to play as the storm."""
SHARES: Final = 1_000_000
STRANGE: Final = ("old book", "unknown event", "empty list", "foreign token", "no change", "garbage")

Make = Callable[["_Draw"], Anything]


class _Draw:
    """The one random generator of a history, and the moments that are worth a trouble."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(f"history|{seed}")
        self.shared_gate = self.rng.random() < 0.15
        self.faults_end_ms = (5 if self.shared_gate else self.rng.choice((5, 10, 15, 30))) * MINUTE
        self.finale_ms = self.faults_end_ms + CALM_MS
        self.length_ms = self.finale_ms + FINALE_MS + AFTERWARDS_MS
        self.edges: list[int] = []
        self.bursts: list[int] = []
        self.hosts: tuple[HostPlan, ...] = ()
        self.markets = 1

    def moment(self) -> int:
        """When trouble comes: mostly around an edge."""
        chance = self.rng.random()
        if self.edges and chance < 0.85:
            at_ms = self.rng.choice(self.edges if chance < 0.7 else self.bursts) + self.rng.choice(AROUND_MS)
            return min(max(at_ms, SECOND), self.faults_end_ms - SECOND)
        return self.rng.randrange(SECOND, self.faults_end_ms)

    def span(self, at_ms: int, *spans_s: float) -> int:
        """One of these spans, cut where troubles end."""
        return max(1, min(round(self.rng.choice(spans_s) * SECOND), self.faults_end_ms - at_ms))

    def host(self) -> int:
        return self.rng.randrange(len(self.hosts))

    def market(self) -> int:
        return self.rng.randrange(self.markets)


def random_history(seed: int) -> History:
    """The history of a seed, always the same."""
    draw = _Draw(seed)
    rng = draw.rng
    draw.markets = rng.choice((1, 1, 1, 2, 3))
    markets = tuple(_market(draw, number) for number in range(draw.markets))
    draw.edges = [edge.at_ms for market in markets for edge in market.edges if edge.at_ms < draw.faults_end_ms]
    draw.bursts = [burst.at_ms for market in markets for burst in market.bursts]
    draw.hosts = _hosts(draw)
    troubles = (*TROUBLES, *GATE_TROUBLES) if draw.shared_gate else TROUBLES
    happenings = sorted((rng.choice(troubles)(draw) for _ in range(rng.choice((0, 2, 6, 10, 16, 24)))), key=lambda one: one.at_ms)
    stormy = History(
        seed=seed,
        length_ms=draw.length_ms,
        faults_end_ms=draw.faults_end_ms,
        markets=markets,
        hosts=draw.hosts,
        happenings=tuple(happenings),
        shared_gate=draw.shared_gate,
        balance_micros=rng.choice((60, 150, 10_000, 10_000)) * SHARES,
        split_frames_ms=rng.choice((0, 0, 0, 0, 20)),
        order_latency_ms=rng.choice((20, 100, 250, 600)),
        variables=_variables(rng),
    )
    return with_quiet(stormy, _quiet_stretches(draw)) if seed % QUIET_EVERY == QUIET_EVERY - 1 else stormy


def _quiet_stretches(draw: _Draw) -> list[Quiet]:
    """Nothing happens for minutes or hours: before the storm, in the middle of it, or before the last edge."""
    rng = draw.rng
    hours = QUIET_H[:1] if draw.shared_gate else QUIET_H  # a real server is asked all the time
    return [Quiet(rng.randrange(draw.finale_ms), round(rng.choice(hours) * HOUR)) for _ in range(rng.choice((0, 1, 2)))]


def _variables(rng: random.Random) -> dict[str, str]:
    variables = {
        "BATCH_SIZE": rng.choice(("5", "10", "20", "50")),
        "MAX_POSITION_USD": rng.choice(("40", "100", "500")),
        "ENTRY_MODE": rng.choice(("paired", "paired", "paired", "paired", "sequential")),
        "HEDGE_TOLERANCE": rng.choice(("10", "30", "100")),
        "ORPHAN_LOSS_CAP": rng.choice(("0.5", "2", "5", "20")),
        "ORPHAN_RETRY_S": rng.choice(("2", "20")),
        "COOLDOWN_BASE_S": rng.choice(("0.5", "1")),
    }
    if rng.random() < 0.3:
        variables["MAX_EXPOSURE_USD"] = rng.choice(("30", "120"))
    if rng.random() < 0.5:
        variables["GLOBAL_ORDER_MIN_INTERVAL_S"] = rng.choice(("0.5", "2"))
    return variables


def _market(draw: _Draw, number: int) -> MarketPlan:
    rng = draw.rng
    resolves = number > 0 and rng.random() < 0.3
    length_ms = rng.randrange(draw.faults_end_ms // 2, draw.faults_end_ms) if resolves else draw.length_ms + HOUR
    end_ms = min(length_ms, draw.faults_end_ms)
    fee = rng.choice((0, 20_000, 70_000))
    finer = rng.random() < 0.25
    edges = sorted(
        (_edge(rng, rng.randrange(20 * SECOND, end_ms), fee, finer=finer) for _ in range(rng.choice((4, 8, 14)))), key=lambda e: e.at_ms
    )
    finale = () if resolves else (_finale(rng, draw.finale_ms + number * SECOND),)
    bursts = tuple(_burst(rng, rng.randrange(0, end_ms)) for _ in range(rng.choice((1, 2, 4))))
    recorded = rng.choice(recorded_slugs()) if rng.random() < 0.02 else None
    return MarketPlan(
        number=number,
        seed=rng.randrange(1 << 30),
        length_ms=length_ms,
        quiet_ms=rng.choice((20, 60, 180, 600)) * SECOND,
        fee_rate_micros=fee,
        edges=(*_apart(edges), *finale),
        bursts=bursts,
        finer_tick_ms=rng.randrange(end_ms) if finer else None,
        recorded=recorded,
    )


def _apart(edges: list[Edge]) -> list[Edge]:
    """Without those that begin before the one before has ended."""
    kept: list[Edge] = []
    for edge in edges:
        if not kept or edge.at_ms > kept[-1].at_ms + kept[-1].for_ms + SECOND:
            kept.append(edge)
    return kept


def _edge(rng: random.Random, at_ms: int, fee: int, *, finer: bool) -> Edge:
    yes_ask = rng.randrange(20, 75) * 100 + (rng.choice((0, 10, 50)) if finer else 0)
    cost = rng.choice((86, 88, 90, 92, 94, 95, 96, 97, 98, 99)) * 100 - (200 if fee > 50_000 else 0)
    depths = [rng.choice((6, 12, 30, 90, 300)) * SHARES for _ in range(2)]
    for_ms = rng.choice((400, 900, 1_500, 3_000, 3_000, 8_000))
    return Edge(at_ms=at_ms, for_ms=for_ms, yes_ask=yes_ask, no_ask=cost - yes_ask, yes_depth=depths[0], no_depth=depths[1])


def _finale(rng: random.Random, at_ms: int) -> Edge:
    """Deep, cheap and long: no reason to let it go."""
    yes_ask = rng.randrange(30, 60) * 100
    deep = 60 * SHARES
    return Edge(at_ms=at_ms, for_ms=FINALE_MS, yes_ask=yes_ask, no_ask=9_000 - yes_ask, yes_depth=deep, no_depth=deep)


def _burst(rng: random.Random, at_ms: int) -> Burst:
    return Burst(at_ms=at_ms, for_ms=rng.choice((2, 6)) * SECOND, every_ms=rng.choice((50, 250, 1_000)), jump=rng.choice((1, 4)))


def _hosts(draw: _Draw) -> tuple[HostPlan, ...]:
    """One program for all markets, or one for each; now and then a second one for a market that has one."""
    rng, everything = draw.rng, tuple(range(draw.markets))
    together = rng.random() < (0.2 if draw.shared_gate else 0.6)
    groups = [everything] if together else [(number,) for number in everything]
    hosts = [_host(rng, place, markets) for place, markets in enumerate(groups)]
    if rng.random() < (0.5 if draw.shared_gate else 0.15):
        hosts.append(replace(_host(rng, len(hosts), groups[0]), disk=None if draw.shared_gate else hosts[0].name))
    return tuple(hosts)


def _host(rng: random.Random, place: int, markets: tuple[int, ...]) -> HostPlan:
    return HostPlan(
        name="abcdef"[place],
        markets=markets,
        starts_ms=rng.choice((0, 0, 5_000)),
        latency_ms=rng.choice((5, 40, 120)),
        skew_ms=rng.choice((0, 0, 0, -300, 300)),
    )


def _fault(kind: FaultKind, *spans_s: float, probability: tuple[float, ...] = (1.0,), one_market: bool = False) -> Make:
    """A failure of the venue that lasts for one of these spans."""

    def make(draw: _Draw) -> VenueFault:
        rng, at_ms = draw.rng, draw.moment()
        return VenueFault(
            at_ms=at_ms,
            kind=kind,
            for_ms=draw.span(at_ms, *spans_s),
            probability=rng.choice(probability),
            market=draw.market() if one_market else None,
            outcome=rng.choice((None, 0, 1)) if one_market else None,
            delay_ms=rng.choice((500, 3_000, 9_000)),
            retry_after_s=rng.choice((None, 1, 5)),
        )

    return make


def _kill(draw: _Draw) -> Kill:
    at_ms = draw.moment()
    within_ms = draw.span(at_ms, 0.05, 1, 5, 60)
    return Kill(
        at_ms=at_ms, host=draw.host(), step=draw.rng.randrange(25), within_ms=within_ms, down_ms=draw.rng.choice((500, 5_000, 40_000))
    )


def _stop(draw: _Draw) -> Stop:
    return Stop(at_ms=draw.moment(), host=draw.host(), down_ms=draw.rng.choice((35_000, 90_000)))


def _halt(draw: _Draw) -> Halt:
    at_ms = draw.moment()
    market = draw.rng.choice((None, draw.market()))
    return Halt(at_ms=at_ms, for_ms=draw.span(at_ms, 2, 20, 120), market=market, draining=draw.rng.random() < 0.3)


def _disk_full(draw: _Draw) -> DiskFull:
    at_ms = draw.moment()
    return DiskFull(at_ms=at_ms, host=draw.host(), for_ms=draw.span(at_ms, 1, 10, 120))


def _network_down(draw: _Draw) -> NetworkDown:
    at_ms = draw.moment()
    return NetworkDown(at_ms=at_ms, host=draw.host(), for_ms=draw.span(at_ms, 0.3, 5, 90))


def _silence(draw: _Draw) -> Silence:
    at_ms = draw.moment()
    return Silence(at_ms=at_ms, host=draw.host(), for_ms=draw.span(at_ms, 3, 45, 200))


def _slow(draw: _Draw) -> SlowNetwork:
    at_ms = draw.moment()
    return SlowNetwork(at_ms=at_ms, host=draw.host(), for_ms=draw.span(at_ms, 10, 60), by_ms=draw.rng.choice((300, 1_500, 4_000)))


def _bad_reads(draw: _Draw) -> BadReads:
    at_ms = draw.moment()
    status = draw.rng.choice((0, 401, 429, 500, 503))
    return BadReads(at_ms=at_ms, host=draw.host(), for_ms=draw.span(at_ms, 5, 60, 150), status=status)


def _clock_step(draw: _Draw) -> ClockStep:
    return ClockStep(at_ms=draw.moment(), host=draw.host(), by_ms=draw.rng.choice((-1_500, -400, 400, 1_000)))


def _gate_away(draw: _Draw) -> GateAway:
    at_ms = draw.moment()
    return GateAway(at_ms=at_ms, host=draw.host(), for_ms=draw.span(at_ms, 0.3, 5, 40))


def _gate_flushed(draw: _Draw) -> GateFlushed:
    return GateFlushed(at_ms=draw.moment())


def _strange(draw: _Draw) -> StrangeFrame:
    return StrangeFrame(at_ms=draw.moment(), market=draw.market(), what=draw.rng.choice(STRANGE))  # type: ignore[arg-type]


SOME: Final = (0.3, 0.6, 1.0)
TROUBLES: Final[tuple[Make, ...]] = (
    _fault(FaultKind.REPLY_DROPPED, 4, 10, 60, probability=SOME),
    _fault(FaultKind.COULD_NOT_RUN_500, 4, 10, 60, probability=SOME),
    _fault(FaultKind.REPLY_DROPPED, 4, 10, 60, probability=SOME),
    _fault(FaultKind.RATE_LIMITED_BARE_429, 4, 10, 60, probability=SOME),
    _fault(FaultKind.RATE_LIMITED_WITH_HEADERS, 4, 10, 60, probability=SOME),
    _fault(FaultKind.SETTLEMENT_FAILED, 10, 120, probability=SOME),
    _fault(FaultKind.SETTLEMENT_FAILED, 10, 120, probability=SOME),
    _fault(FaultKind.DELAYED_REPLY, 5, 60, probability=SOME),
    _fault(FaultKind.ORDER_LATENCY, 5, 60, probability=SOME),
    _fault(FaultKind.RESTART_425, 3, 20),
    _fault(FaultKind.SILENT_FREEZE, 3, 40, 150, one_market=True),
    _fault(FaultKind.MISSING_FIRST_SNAPSHOT, 30, 120, one_market=True),
    _fault(FaultKind.DUPLICATED_FRAMES, 5, 60, probability=SOME, one_market=True),
    _fault(FaultKind.REORDERED_FRAMES, 5, 60, probability=SOME, one_market=True),
    _fault(FaultKind.DISCONNECT, 2, 20, probability=(0.1, 0.5)),
    _fault(FaultKind.STALE_BOOK, 10, 90, one_market=True),
    _kill,
    _kill,
    _kill,
    _kill,
    _kill,
    _stop,
    _halt,
    _halt,
    _disk_full,
    _network_down,
    _network_down,
    _silence,
    _slow,
    _slow,
    _slow,
    _bad_reads,
    _bad_reads,
    _clock_step,
    _strange,
)
GATE_TROUBLES: Final[tuple[Make, ...]] = (_gate_away, _gate_away, _gate_away, _gate_flushed, _gate_flushed, _kill, _kill)
