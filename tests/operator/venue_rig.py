"""The operator's view of a venue in the test's own time: requests are real, to a paper exchange; time passes when the test says so."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.paper import PaperServer, Scene, ScriptedBooks, paper_exchange_server
from tests.support.virtual_clock import VirtualClock, turn_the_loop

from kabobagool.venue.clob import ClobReader
from kabobagool.venue.reader import Reader, RetryPolicy
from kabobagool.venue.transport import AiohttpTransport, HttpReply, Params, TransportError
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.conditions import Reason
from kabobagool_operator.resolver import Resolver

CALM: list[Scene] = [(0, [("0.50", 100)], [("0.51", 100)])]


def scripted(slug: str, dollars: int = 0, **fields: Any) -> ScriptedBooks:
    """A market that lasts an hour and in which nothing happens."""
    return ScriptedBooks(CALM, slug=slug, volume_24h=dollars * 1_000_000, **fields)


def pinned(name: str, market: Mapping[str, Any] | None = None, **body: Any) -> ArbMarket:
    """An ArbMarket of a person; named by a slug that is its own name unless told otherwise."""
    metadata = {"name": name, "namespace": "test", "uid": f"uid-{name}", "resourceVersion": "1", **body.pop("metadata", {})}
    spec = {"market": dict(market or {"slug": name}), **body.pop("spec", {})}
    return ArbMarket.parse({"apiVersion": "kabobagool.io/v1alpha1", "kind": "ArbMarket", "metadata": metadata, "spec": spec, **body})


@dataclass
class CountedTransport:
    """Real requests, counted; `answer` may reply in the venue's place, raise as a broken network does, or return None."""

    inner: AiohttpTransport = field(default_factory=AiohttpTransport)
    asked: list[str] = field(default_factory=list)
    under_way: int = 0
    replied: int = 0
    most_at_once: int = 0
    answer: Callable[[str, Params], HttpReply | None] = lambda url, params: None

    async def request(self, method: str, url: str, *, params: Params, **more: Any) -> HttpReply:
        self.asked.append(url)
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            made_up = self.answer(url, params)
            return made_up or await self.inner.request(method, url, params=params, **more)
        finally:
            self.under_way -= 1
            self.replied += 1

    async def close(self) -> None:
        await self.inner.close()

    async def aclose(self) -> None:
        """For `aclosing`."""
        await self.close()

    async def settle(self) -> None:
        """Until no request is under way, and what its reply sets off has happened."""
        replied = -1
        while self.under_way or replied != self.replied:
            replied = self.replied
            await asyncio.sleep(0.001 if self.under_way else 0)
            await turn_the_loop()


def broken(url: str, params: Params) -> HttpReply | None:
    """The network is gone."""
    raise TransportError("timeout", method="GET", url=url)


@dataclass
class VenueRig:
    """A resolver before a venue. `news` are the names it called out, `outcomes` what came of each question."""

    paper: PaperServer
    transport: CountedTransport
    clock: VirtualClock
    reader: Reader
    clob: ClobReader
    news: list[str] = field(default_factory=list)
    outcomes: list[Reason] = field(default_factory=list)

    @property
    def gamma(self) -> str:
        return str(self.paper.urls["gamma"])

    def resolver(self, **more: Any) -> Resolver:
        return Resolver(
            self.reader,
            self.clob,
            self.gamma,
            clock=self.clock,
            rng=random.Random(3),
            changed=self.news.append,
            looked_up=self.outcomes.append,
            **more,
        )

    def asked(self) -> list[str]:
        """What was asked since the last time, without the host."""
        asked, self.transport.asked = self.transport.asked, []
        return [url.partition("//")[2].partition("/")[2] for url in asked]


@contextlib.asynccontextmanager
async def venue_rig(*books: ScriptedBooks) -> AsyncIterator[VenueRig]:
    """Before a paper exchange with these markets; every request is tried once."""
    transport = CountedTransport()
    clock = VirtualClock(settle=transport.settle)
    async with paper_exchange_server(*books) as paper, contextlib.aclosing(transport):
        reader = Reader(transport, clock=clock, rng=random.Random(7), policy=RetryPolicy(attempts=1))
        yield VenueRig(paper, transport, clock, reader, ClobReader(reader, paper.urls["clob"], clock=clock))


@contextlib.asynccontextmanager
async def running(resolver: Resolver) -> AsyncIterator[Resolver]:
    """Asking in the background, until the test is over."""
    task = asyncio.create_task(resolver.run())
    try:
        yield resolver
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
