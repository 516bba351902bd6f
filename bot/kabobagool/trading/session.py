"""What all markets of one wallet share: the venue as this process reaches it, the wallet's account, the order gate and the journal.

Opened once a process by the commands, in the order in which things can fail with a useful text; every market's bot is built on it by
`market_bot.py`.
"""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from kabobagool.clock import Clock, SystemClock
from kabobagool.domain.market import Market
from kabobagool.engine.foresight import Foresee
from kabobagool.engine.purse import Purse
from kabobagool.execution.account import account_reader, given_credentials, wallet_of
from kabobagool.execution.client import ExecutionClient
from kabobagool.execution.credentials import ensure_credentials
from kabobagool.execution.journal import Journal
from kabobagool.execution.wallet import Wallet
from kabobagool.feed.apply import BookSnapshotLike
from kabobagool.feed.settings import FeedSettings
from kabobagool.gate.interface import LeasedGate
from kabobagool.settings import Settings
from kabobagool.settings_wallet import wallet_name
from kabobagool.trading.gate_choice import OpenGate, StartError, open_gate
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.gamma import resolve_market
from kabobagool.venue.reader import Reader, RetryPolicy
from kabobagool.venue.signing import ApiCredentials
from kabobagool.venue.transport import HttpTransport, configure_official_client, make_transport

CLOCK_LOOK_S = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """The venue as this process reaches it."""

    transport: HttpTransport
    reader: Reader
    clob: ClobReader
    clock: Clock
    rng: random.Random

    async def fetch_books(self, tokens: Sequence[str]) -> Sequence[BookSnapshotLike]:
        """Books over REST, for feeds that doubt theirs."""
        return await self.clob.books(tokens)


class _ForOrders(TypedDict):
    """What either order client is made of."""

    host: str
    wallet: Wallet
    credentials: ApiCredentials
    reader: ClobReader
    clock: Clock
    rng: random.Random
    timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A wallet that can trade: its reader and its execution client. `foresee` is None when that client cannot sign ahead."""

    reader: ClobReader
    execution: ExecutionClient
    foresee: Foresee | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingSession:
    """One wallet at the venue. `account` is None in a dry run, which owns nothing."""

    settings: Settings
    venue: Venue
    account: Account | None
    journal: Journal
    at_gate: OpenGate
    purse: Purse
    scratch: Path | None = None
    """A dry run's folder: it goes with the session."""

    @property
    def clock(self) -> Clock:
        """The venue's time."""
        return self.venue.clock

    @property
    def gate(self) -> LeasedGate:
        """The wallet's order gate."""
        return self.at_gate.gate

    @property
    def live(self) -> bool:
        """Whether real orders leave."""
        return self.account is not None

    @property
    def mode(self) -> str:
        """`live` or `dry_run`, as snapshots and metrics call it."""
        return "live" if self.live else "dry_run"

    async def close(self) -> None:
        """Let go of everything, last opened first; whatever fails to close does not keep the rest open."""
        async with AsyncExitStack() as closing:
            if self.scratch is not None:
                closing.push_async_callback(asyncio.to_thread, shutil.rmtree, self.scratch, ignore_errors=True)
            closing.push_async_callback(self.venue.transport.close)
            if self.account is not None:
                closing.push_async_callback(self.account.execution.close)
            closing.push_async_callback(self.at_gate.close)
            closing.push_async_callback(self.journal.close)


async def open_session(settings: Settings) -> TradingSession:
    """A session that bots can be built on. VenueError, JournalError or StartError with what is wrong; nothing stays open then."""
    venue = await reach_venue(settings)
    async with AsyncExitStack() as opened:
        opened.push_async_callback(venue.transport.close)
        scratch = Path(tempfile.mkdtemp(prefix="kabobagool-dry-run-")) if settings.dry_run else None
        if scratch is not None:
            opened.callback(shutil.rmtree, scratch, ignore_errors=True)
        account = None if settings.dry_run else await open_account(settings, venue)
        if account is not None:
            opened.push_async_callback(account.execution.close)
        at_gate = await open_gate(settings, wallet_name(settings), clock=venue.clock, rng=venue.rng)
        opened.push_async_callback(at_gate.close)
        journal = await open_journal(settings, venue.clock, scratch=scratch, at_gate=at_gate)
        opened.push_async_callback(journal.close)
        await recall_halts(settings, at_gate, journal)
        opened.pop_all()
    return TradingSession(settings=settings, venue=venue, account=account, journal=journal, at_gate=at_gate, purse=Purse(), scratch=scratch)


async def reach_venue(settings: Settings) -> Venue:
    """Connect, insist on the exchange version, and take over the venue's clock. VenueError when it cannot be reached."""
    transport = make_transport(browser_impersonation=settings.use_browser_impersonation, proxy_url=proxy_of(settings))
    rng = random.SystemRandom()
    try:
        clock = SystemClock()
        policy = RetryPolicy(timeout_s=settings.request_timeout_ms / 1000)
        reader = Reader(transport, clock=clock, rng=rng, policy=policy)
        clob = ClobReader(reader, settings.host, clock=clock)
        await clob.assert_version()
        if settings.clock_rate != 1:
            clock = await venue_clock(clob, rate=settings.clock_rate)
            reader = Reader(transport, clock=clock, rng=rng, policy=policy)
            clob = ClobReader(reader, settings.host, clock=clock)
    except BaseException:
        await transport.close()
        raise
    return Venue(transport=transport, reader=reader, clob=clob, clock=clock, rng=rng)


async def venue_clock(clob: ClobReader, *, rate: float) -> SystemClock:
    """A clock that runs with a venue whose time passes `rate` times as fast; exact to a moment after one of its seconds began."""
    before = await clob.server_time_ms()
    while True:
        now = await clob.server_time_ms()
        if now != before:
            return SystemClock(rate=rate, origin_ms=now)
        await asyncio.sleep(CLOCK_LOOK_S)


async def find_market(settings: Settings, venue: Venue) -> Market:
    """The market these settings name. The errors of `venue.gamma`."""
    tokens = (settings.token_yes, settings.token_no) if settings.token_yes and settings.token_no else None
    return await resolve_market(
        venue.reader, venue.clob, settings.gamma_host, slug=settings.market_slug, condition_id=settings.condition_id, tokens=tokens
    )


async def open_account(settings: Settings, venue: Venue) -> Account:
    """Keys, credentials and order client of a live wallet. VenueError when the venue does not accept them."""
    if settings.private_key is None:
        raise StartError("PRIVATE_KEY is not set: live trading needs it (DRY_RUN=true does not)")
    wallet, credentials = wallet_of(settings, settings.private_key.get_secret_value()), given_credentials(settings)
    if credentials is None or settings.order_client == "official":
        await asyncio.to_thread(configure_official_client, proxy_of(settings), settings.request_timeout_ms / 1000)
    if credentials is None:
        credentials = await ensure_credentials(host=settings.host, wallet=wallet, clock=venue.clock)
    return await open_execution(settings, venue, wallet, credentials)


async def open_execution(settings: Settings, venue: Venue, wallet: Wallet, credentials: ApiCredentials) -> Account:
    """The account with the order client that ORDER_CLIENT names. Their modules are imported here: a dry run needs neither."""
    reader = account_reader(settings, venue.reader, credentials, venue.clock)
    shared: _ForOrders = {
        "host": settings.host,
        "wallet": wallet,
        "credentials": credentials,
        "reader": reader,
        "clock": venue.clock,
        "rng": venue.rng,
        "timeout_s": settings.request_timeout_ms / 1000,
    }
    if settings.order_client == "official":
        from kabobagool.execution.live import ClobExecution

        official = ClobExecution(**shared)
        await official.start()
        return Account(reader=reader, execution=official)
    from kabobagool.execution.fast import FastExecution

    fast = FastExecution(**shared, proxy_url=proxy_of(settings))
    await fast.start()
    return Account(reader=reader, execution=fast, foresee=fast.foresee)


async def open_journal(settings: Settings, clock: Clock, *, scratch: Path | None = None, at_gate: OpenGate | None = None) -> Journal:
    """The wallet's journal; in `scratch` when it is a dry run: simulated orders must never be looked up at the venue.

    A live one is kept at a shared gate as well.
    """
    path = scratch / "journal.sqlite" if scratch is not None else settings.journal_path
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    if scratch is None and at_gate is not None and at_gate.shared is not None:
        from kabobagool.trading.shared_journal import SharedJournal

        return await SharedJournal.open_shared(path, clock=clock, intents=at_gate.shared.intents)
    return await Journal.open(path, clock=clock)


async def recall_halts(settings: Settings, at_gate: OpenGate, journal: Journal) -> None:
    """What was halted before a restart stays halted, whatever the shared gate lost meanwhile. A dry run's disk goes with it."""
    if at_gate.shared is not None and not settings.dry_run:
        from kabobagool.trading.halts_on_disk import keep_halts

        await keep_halts(at_gate.shared, journal)


def feed_settings(settings: Settings) -> FeedSettings:
    """How patient the feed is.

    A token may be silent for a fifth of the staleness threshold before REST is asked (the feed doubles this pause twice while REST
    agrees): soon enough that a quiet market, confirmed by REST, never looks unhealthy.
    """
    silence_s = min(FeedSettings().silence_s, settings.health_price_staleness_threshold_ms / 1000 / 5)
    return FeedSettings(proxy_url=proxy_of(settings), silence_s=silence_s)


def proxy_of(settings: Settings) -> str | None:
    """The proxy's address with its credentials, None without one."""
    return settings.clob_proxy_url.get_secret_value() if settings.clob_proxy_url else None
