"""The fleet of a cluster as its page may see and stop it: what the caches and the gate view know anyway, put together once a second.

`fleet_page_server.py` asks, `main.py` says when this process leads. However many people look, nobody is asked anything for them: the gate
view polls the bots' records and the watches bring the ArbMarkets whether there is a page or not.
"""

import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from kabobagool.clock import Clock
from kabobagool.domain.money import format_micros, parse_micros
from kabobagool.gate.interface import DRAINING, WALLET, Halt
from kabobagool.hydra.fleet_snapshot import DiscoveryView
from kabobagool.settings_wallet import DRY_RUN_WALLET
from kabobagool_operator.arbmarket_spec import Mode
from kabobagool_operator.arbmarket_status import Status
from kabobagool_operator.caches import Caches, SeenMarket
from kabobagool_operator.facts import GateFacts
from kabobagool_operator.fleet_page_events import RecentEvents
from kabobagool_operator.fleet_page_facts import ClusterFacts, ClusterFleet, ClusterHalt, ClusterRow, ClusterSnapshot, ClusterTotals
from kabobagool_operator.fleet_page_rows import arb_facts, report_of, row_of
from kabobagool_operator.gate_marks import is_ours
from kabobagool_operator.gate_view import GateView
from kabobagool_operator.market_source import MarketSource
from kabobagool_operator.policy import Policy
from kabobagool_operator.watch_activity import WatchActivity

log = logging.getLogger(__name__)

FRESH_S: Final = 0.5
"""A snapshot so young is given to the next who asks."""
SCOPES: Final = "WALLET/CONDITION_ID, WALLET/wallet for all markets of one wallet, or wallet for all there are"
NO_GATE: Final = GateFacts(reachable=False)


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What a leader knows."""

    caches: Caches
    gate: GateView
    source: MarketSource
    events: RecentEvents
    activity: WatchActivity


class FleetPageDesk:
    """Knows nothing until this process leads. LookupError for a snapshot before."""

    def __init__(self, policy: Policy, *, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._sources: Sources | None = None
        self._started_ms = 0
        self._statuses: dict[str, tuple[int, Status]] = {}
        self._made: tuple[float, ClusterSnapshot] | None = None

    @property
    def leads(self) -> bool:
        """Whether there is anything to see here."""
        return self._sources is not None

    def lead(self, sources: Sources) -> None:
        """This process leads from now on."""
        self._sources, self._started_ms = sources, self._clock.now_ms()

    async def snapshot(self) -> ClusterSnapshot:
        """All ArbMarkets now."""
        now_s = self._clock.monotonic()
        if self._made is None or now_s - self._made[0] >= FRESH_S:
            self._made = (now_s, self._snapshot())
        return self._made[1]

    def prices(self) -> Mapping[str, int | None]:
        """What a pair costs after fees by ArbMarket, millionths of a dollar, None while its bot does not say."""
        if self._sources is None:
            return {}
        reports = ((name, report_of(self._status(found), self._gate_of(found)[1])) for name, found in self._sources.caches.markets.items())
        return {name: None if report is None else report.pair_cost for name, report in reports}

    async def halt(self, *, scope: str, who: str, why: str) -> None:
        """Stop the next order of a scope of `SCOPES`. KeyError for one that is not there, GateUnreachableError when that is not certain."""
        for wallet, own in self._addresses(scope):
            await self._known.gate.halt(wallet, Halt(scope=own, who=who, why=why, since_ms=self._clock.now_ms()))
        self._made = None
        log.warning("halted", extra={"scope": scope, "who": who, "why": why})

    async def resume(self, *, scope: str, who: str) -> None:
        """Lift a halt, also one of `WALLET/draining:CONDITION_ID`. As `halt`; what the operator drains goes on draining."""
        for wallet, own in self._addresses(scope):
            await self._known.gate.resume(wallet, own)
        self._made = None
        log.warning("resumed", extra={"scope": scope, "who": who})

    @property
    def _known(self) -> Sources:
        if self._sources is None:
            raise LookupError("this operator does not lead")
        return self._sources

    def _addresses(self, scope: str) -> list[tuple[str, str]]:
        """Wallet and the scope at its gate."""
        pictures = self._known.gate.pictures
        if scope == WALLET:
            return [(wallet, WALLET) for wallet in pictures] or [(DRY_RUN_WALLET, WALLET)]
        wallet, _, own = scope.partition("/")
        halt = pictures[wallet].halts.get(own)
        market = own.removeprefix(DRAINING)
        if is_ours(halt) or (halt is None and market != WALLET and scope.replace(DRAINING, "") not in self._scopes()):
            raise KeyError(scope)
        return [(wallet, own)]

    def _scopes(self) -> Mapping[str, str]:
        """What may be halted by market, and its question."""
        rows = self._snapshot().rows.values()
        return {row.scope: row.question for row in rows if row.scope is not None}

    def _snapshot(self) -> ClusterSnapshot:
        now_ms = self._clock.now_ms()
        found = self._known.caches.markets
        self._statuses = {name: kept for name, kept in self._statuses.items() if name in found}
        rows = {name: self._row(seen, now_ms) for name, seen in found.items()}
        return ClusterSnapshot(fleet=self._fleet(rows, now_ms), rows=rows)

    def _row(self, found: SeenMarket, now_ms: int) -> ClusterRow:
        status, mode = self._status(found), _mode(found)
        wallet, gate = self._gate_of(found)
        report, events = report_of(status, gate), self._known.events.of(found.metadata)
        arb = arb_facts(found.metadata, status, gate, report, mode=mode, wallet=wallet, events=events)
        return row_of(status, gate, report, arb, mode=mode, now_ms=now_ms)

    def _status(self, found: SeenMarket) -> Status:
        """Parsed once for each version: a fleet that is quiet costs nothing."""
        name, version = found.metadata.name, found.seen.version
        kept = self._statuses.get(name)
        if kept is None or kept[0] != version:
            kept = self._statuses[name] = (version, found.status)
        return kept[1]

    def _gate_of(self, found: SeenMarket) -> tuple[str | None, GateFacts]:
        """The ArbMarket's wallet, and what is known of the market at its gate."""
        wallet = None if found.brief is None else self._policy.wallets.name(found.brief.spec)
        market = self._status(found).market
        if wallet is None or market is None:
            return wallet, NO_GATE
        return wallet, self._known.gate.facts(wallet, market.condition_id)

    def _fleet(self, rows: Mapping[str, ClusterRow], now_ms: int) -> ClusterFleet:
        policy, known = self._policy, self._known
        modes = Counter(row.arb.mode or "unknown" for row in rows.values())
        wallets = {row.arb.wallet for row in rows.values()} - {None, DRY_RUN_WALLET}
        real = any(row.arb.mode == Mode.LIVE and policy.objection(Mode.LIVE) is None for row in rows.values())
        return ClusterFleet(
            at_ms=now_ms,
            started_ms=self._started_ms,
            profile=policy.discovery_profile if policy.discovery else None,
            mode="live" if real or modes[Mode.PAPER] else "dry_run",
            play_money=not real,
            wallet=wallets.pop() if len(wallets) == 1 else None,
            state="starting" if known.activity.unlisted else "running",
            totals=_totals(rows),
            discovery=self._discovery(known.source) if policy.discovery else None,
            halts=tuple(self._halts({row.scope: row.question for row in rows.values() if row.scope is not None})),
            control=policy.fleet_token is not None,
            cluster=ClusterFacts(
                namespace=policy.namespace,
                leader=policy.identity,
                gate="none" if not known.gate.configured else "answers" if known.gate.reachable else "silent",
                modes=modes,
                phases=Counter(row.arb.phase or "new" for row in rows.values()),
                stopped=known.source.stopped,
            ),
        )

    def _halts(self, questions: Mapping[str, str]) -> Iterator[ClusterHalt]:
        """What people halted, at every wallet's gate; what the operator drains is no halt of anybody's."""
        for wallet, picture in self._known.gate.pictures.items():
            for halt in sorted(picture.halts.values(), key=lambda halt: halt.since_ms):
                if not is_ours(halt):
                    scope = f"{wallet}/{halt.scope}"
                    title = _title(halt, wallet, questions.get(scope.replace(DRAINING, "")))
                    yield ClusterHalt(scope=scope, title=title, who=halt.who, why=halt.why, since_ms=halt.since_ms)

    def _discovery(self, source: MarketSource) -> DiscoveryView:
        last, age_s = source.last, source.age_s
        return DiscoveryView(
            at_ms=None if age_s is None else round(self._clock.now_ms() / 1000 - age_s) * 1000,
            qualifying=len(last.found) if last else 0,
            rejected={reason.value: count for reason, count in sorted(last.rejected.items())} if last else {},
            listed=last.progress.seen if last else 0,
            cache_age_s=last.cache_age_s if last else None,
            trouble=source.trouble if last else None,
        )


def _mode(found: SeenMarket) -> Mode | None:
    return None if found.brief is None else found.brief.spec.mode


def _totals(rows: Mapping[str, ClusterRow]) -> ClusterTotals:
    positions = [row.position for row in rows.values()]
    return ClusterTotals(
        markets=len(rows),
        pairs=format_micros(sum(parse_micros(held.pairs) for held in positions if held.pairs is not None)),
        locked_profit=format_micros(sum(parse_micros(held.locked_profit) for held in positions if held.locked_profit is not None)),
    )


def _title(halt: Halt, wallet: str, question: str | None) -> str:
    whose = "dry runs" if wallet == DRY_RUN_WALLET else f"markets of wallet {wallet}"
    what = f"All {whose}" if halt.scope.removeprefix(DRAINING) == WALLET else question or halt.scope.removeprefix(DRAINING)
    return f"No new pairs: {what}" if halt.scope.startswith(DRAINING) else f"Halted: {what}"
