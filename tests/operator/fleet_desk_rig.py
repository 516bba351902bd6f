"""The desk behind a cluster's fleet page: real caches and a real gate, whose bots report when the test says so."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from tests.gate.redis_servers import Server
from tests.support.virtual_clock import VirtualClock

from kabobagool.clock import Clock
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.redis_status import BotStatus, StatusBoard
from kabobagool.gate.redis_url import connect
from kabobagool.settings_wallet import DRY_RUN_WALLET
from kabobagool_operator.caches import WATCHED, Caches
from kabobagool_operator.fleet_page_desk import FleetPageDesk, Sources
from kabobagool_operator.fleet_page_events import RecentEvents
from kabobagool_operator.fleet_page_facts import ClusterRow
from kabobagool_operator.gate_view import POLL_S, GateView
from kabobagool_operator.kinds import ARB_MARKET
from kabobagool_operator.market_source import MarketSource
from kabobagool_operator.policy import Policy
from kabobagool_operator.watch_activity import WatchActivity

LIVE_WALLET = "0x" + "ab" * 20
TRANSITION = "2026-01-01T00:00:00Z"


def condition_id(name: str) -> str:
    return "0x" + name.encode().hex().ljust(64, "0")


def said(type_: str, status: str, reason: str, message: str = "as it is") -> dict[str, Any]:
    return {"type": type_, "status": status, "reason": reason, "message": message, "lastTransitionTime": TRANSITION}


def running(name: str, **status: Any) -> dict[str, Any]:
    """The status of an ArbMarket whose bot runs."""
    facts = {"slug": name, "question": f"Will it {name}?", "conditionId": condition_id(name), "tokens": {"yes": "1", "no": "2"}}
    conditions = [said("Resolved", "True", "Found"), said("Ready", "True", "Running")]
    bot = {"name": name, "configHash": "4be2", "image": "bot:1"}
    return {"phase": "Running", "reason": "Running", "market": facts, "deployment": bot, "conditions": conditions, **status}


@dataclass
class DeskRig:
    """A desk of a leader. Versions of objects grow with every `put`."""

    server: Server
    clock: Clock
    desk: FleetPageDesk
    caches: Caches
    gate: GateView
    events: RecentEvents
    activity: WatchActivity
    source: SimpleNamespace
    wallets: dict[str, list[str]]
    links: dict[str, RedisLink] = field(default_factory=dict)
    version: int = 0

    def put(self, name: str, status: dict[str, Any] | None = None, *, wallet: str = DRY_RUN_WALLET, **spec: Any) -> None:
        """The cluster shows this ArbMarket."""
        self.version += 1
        metadata = {"name": name, "namespace": "bots", "uid": f"uid-{name}", "resourceVersion": str(self.version), "generation": 1}
        kind = {"apiVersion": ARB_MARKET.api_version, "kind": ARB_MARKET.name}
        self.caches.put(ARB_MARKET, {**kind, "metadata": metadata, "spec": {"market": {"slug": name}, **spec}, "status": status or {}})
        if status and "market" in status:
            self.wallets.setdefault(wallet, []).append(status["market"]["conditionId"])

    def link(self, wallet: str = DRY_RUN_WALLET) -> RedisLink:
        if wallet not in self.links:
            client = connect(self.server.url, timeout_s=5.0)
            self.links[wallet] = RedisLink(client, wallet=wallet, clock=self.clock, rng=random.Random(5))
        return self.links[wallet]

    async def reports(self, name: str, *, wallet: str = DRY_RUN_WALLET, pod: str = "", **bot: Any) -> None:
        """The bot of an ArbMarket says this of itself."""
        given = {"mode": "dry_run", "phase": "watching", "feed_age_ms": 0, **bot}
        holder = f"kabobagool@{pod or f'{name}-58c786f998-vpzgm'}/1/abc"
        await StatusBoard(self.link(wallet), clock=self.clock).report(BotStatus(market=condition_id(name), holder=holder, **given))

    async def polled(self) -> None:
        """A poll of the gate later."""
        if isinstance(self.clock, VirtualClock):
            await self.clock.advance(POLL_S)
        await self.gate.look()

    async def row(self, name: str) -> ClusterRow:
        return (await self.desk.snapshot()).rows[name]

    def halts(self, wallet: str = DRY_RUN_WALLET) -> set[str]:
        return {str(scope) for scope in self.server.admin.hkeys(self.link(wallet).keys.halts)}

    def asked(self) -> int:
        """How often the gate's server was asked anything."""
        return sum(at.link.calls for at in self.gate._wallets.values())


@asynccontextmanager
async def desk_rig(*, gate: bool = True, clock: Clock | None = None, leads: bool = True, **policy: Any) -> AsyncIterator[DeskRig]:
    """Around a server of its own."""
    server, time = Server("valkey"), clock or VirtualClock()
    usual = {"namespace": "bots", "identity": "operator-0", "live_wallet": LIVE_WALLET, "discovery": False}
    given = Policy(**{**usual, **policy})
    wallets: dict[str, list[str]] = {}
    url = server.url if gate else None
    view = GateView(url, clock=time, rng=random.Random(5), markets=lambda: wallets, changed=lambda market: None, patience_s=5.0)
    caches, events, activity = Caches(lambda name, *, by_us: None), RecentEvents(time), WatchActivity(WATCHED, clock=time)
    for kind in WATCHED:
        activity.begun(kind.plural)
    source = SimpleNamespace(last=None, stopped=None, trouble=None, age_s=None)
    desk = FleetPageDesk(given, clock=time)
    if leads:
        desk.lead(Sources(caches=caches, gate=view, source=cast(MarketSource, source), events=events, activity=activity))
    rig = DeskRig(server, time, desk, caches, view, events, activity, source, wallets)
    try:
        await view.look()
        yield rig
    finally:
        await view.close()
        for link in rig.links.values():
            await link.close()
        server.close()
