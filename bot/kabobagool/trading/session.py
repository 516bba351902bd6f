"""What all markets of one wallet share: the venue as this process reaches it, the wallet's account, the order gate and the journal.

Opened once a process by the commands, in the order in which things can fail with a useful text; every market's bot is built on it by
`market_bot.py`.
"""

import asyncio
import random
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kabobagool.clock import Clock, SystemClock
from kabobagool.domain.market import Market
from kabobagool.engine.purse import Purse
from kabobagool.execution.account import account_reader, given_credentials, wallet_of
from kabobagool.execution.credentials import ensure_credentials
from kabobagool.execution.journal import Journal
from kabobagool.execution.live import ClobExecution
from kabobagool.feed.apply import BookSnapshotLike
from kabobagool.feed.settings import FeedSettings
from kabobagool.gate.fair_queue import FairGate
from kabobagool.gate.interface import OrderGate
from kabobagool.gate.memory import MemoryGate
from kabobagool.settings import Settings
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import VenueError
from kabobagool.venue.gamma import resolve_market
from kabobagool.venue.reader import Reader, RetryPolicy
from kabobagool.venue.transport import HttpTransport, configure_official_client, make_transport

CLOCK_LOOK_S = 0.002


class StartError(VenueError):
    """Trading must not start; the text says why and what to do."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A wallet that can trade: its reader and its execution client."""

    reader: ClobReader
    execution: ClobExecution


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingSession:
    """One wallet at the venue. `account` is None in a dry run, which owns nothing."""

    settings: Settings
    venue: Venue
    account: Account | None
    journal: Journal
    gate: OrderGate
    purse: Purse
    scratch: Path | None = None
    """A dry run's folder: it goes with the session."""

    @property
    def clock(self) -> Clock:
        """The venue's time."""
        return self.venue.clock

    @property
    def live(self) -> bool:
        """Whether real orders leave."""
        return self.account is not None

    @property
    def mode(self) -> str:
        """`live` or `dry_run`, as snapshots and metrics call it."""
        return "live" if self.live else "dry_run"

    async def close(self) -> None:
        """Let go of everything, last opened first."""
        await self.gate.close()
        await self.journal.close()
        if self.account is not None:
            await self.account.execution.close()
        await self.venue.transport.close()
        if self.scratch is not None:
            await asyncio.to_thread(shutil.rmtree, self.scratch, ignore_errors=True)


async def open_session(settings: Settings) -> TradingSession:
    """A session that bots can be built on. VenueError, JournalError or StartError with what is wrong; nothing stays open then."""
    if settings.redis_url is not None:
        raise StartError(
            "REDIS_URL is set, but this version keeps the order gate inside one process: unset it, and run one process for each wallet"
        )
    venue = await reach_venue(settings)
    account: Account | None = None
    scratch = Path(tempfile.mkdtemp(prefix="kabobagool-dry-run-")) if settings.dry_run else None
    try:
        account = None if settings.dry_run else await open_account(settings, venue)
        journal = await open_journal(settings, venue.clock, scratch=scratch)
    except BaseException:
        if account is not None:
            await account.execution.close()
        await venue.transport.close()
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
        raise
    gate = FairGate(MemoryGate.from_min_interval(float(settings.global_order_min_interval_s), venue.clock), clock=venue.clock)
    return TradingSession(settings=settings, venue=venue, account=account, journal=journal, gate=gate, purse=Purse(), scratch=scratch)


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
    """Keys, credentials and the official client of a live wallet. VenueError when the venue does not accept them."""
    if settings.private_key is None:
        raise StartError("PRIVATE_KEY is not set: live trading needs it (DRY_RUN=true does not)")
    wallet = wallet_of(settings, settings.private_key.get_secret_value())
    await asyncio.to_thread(configure_official_client, proxy_of(settings), settings.request_timeout_ms / 1000)
    credentials = given_credentials(settings) or await ensure_credentials(host=settings.host, wallet=wallet, clock=venue.clock)
    reader = account_reader(settings, venue.reader, credentials, venue.clock)
    execution = ClobExecution(
        host=settings.host,
        wallet=wallet,
        credentials=credentials,
        reader=reader,
        clock=venue.clock,
        rng=venue.rng,
        timeout_s=settings.request_timeout_ms / 1000,
    )
    await execution.start()
    return Account(reader=reader, execution=execution)


async def open_journal(settings: Settings, clock: Clock, *, scratch: Path | None = None) -> Journal:
    """The wallet's journal; in `scratch` when it is a dry run: simulated orders must never be looked up at the venue."""
    path = scratch / "journal.sqlite" if scratch is not None else settings.journal_path
    await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    return await Journal.open(path, clock=clock)


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
