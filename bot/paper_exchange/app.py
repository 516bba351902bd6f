"""Runs the paper exchange: options in, one HTTP server with everything on it out.

`python -m paper_exchange` and the bot's `paper-exchange` command call `main` or `serve`; tests call `serving` with books of their own.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from aiohttp import web

from paper_exchange.dislocations import DislocatedBooks
from paper_exchange.exchange import Exchange, ExchangeSettings
from paper_exchange.faults import FaultError, FaultPlan
from paper_exchange.recorded import ATTRIBUTION, RecordedBooks
from paper_exchange.server.application import build_application
from paper_exchange.server.clock import VenueClock
from paper_exchange.server.driver import Driver
from paper_exchange.server.selection import FirstMarkets, SideBySide
from paper_exchange.server.venue import Venue, VenueSettings
from paper_exchange.synthetic import SyntheticBooks
from paper_exchange.types import MICRO, BookSource

_SHUTDOWN_S = 0.2
_HIGHEST_PORT = 65_535
_HOUR_MS = 3_600_000
_MOST_MARKET_HOURS = 100
"""A made-up market of an hour takes some 50 MB."""


class OptionError(ValueError):
    """An option that cannot work; the text names it, its value and the fix."""


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What a user may choose. Port 0 picks a free one; money in millionths of a dollar, times in milliseconds of venue time.

    `inject` lays that many true dislocations over each recorded market (synthetic books: that many each hour); `markets` keeps the first
    few, 0 means all recorded ones and one synthetic one; `synthetic` puts that many made-up markets beside the recorded ones, `duration_ms`
    long and dislocated as often; `from_offset_ms` starts recorded markets at that moment of their quarter hour; `catalogue` lists that many
    markets more, which have no books.
    """

    port: int = 8080
    host: str = "127.0.0.1"
    books: Literal["recorded", "synthetic"] = "recorded"
    slug: str | None = None
    speed: float = 1.0
    scenario: Path | None = None
    seed: int = 1
    balance_micros: int = 1_000 * MICRO
    inject: int = 0
    from_offset_ms: int | None = None
    order_latency_ms: int = 0
    markets: int = 0
    synthetic: int = 0
    duration_ms: int = _HOUR_MS
    catalogue: int = 0


@dataclass(frozen=True, slots=True)
class Serving:
    """A running exchange, for callers inside the process."""

    venue: Venue
    driver: Driver
    urls: dict[str, Any]


def checked(options: ServeOptions) -> ServeOptions:
    """The options, if they make sense. Raises OptionError."""
    if not 0 <= options.port <= _HIGHEST_PORT:
        raise OptionError(f"port={options.port}: give a port from 0 (any free one) to {_HIGHEST_PORT}")
    if not 0 < options.speed < float("inf"):
        raise OptionError(f"speed={options.speed}: venue time has to move forward, give a number above 0 (1 is real time)")
    for name in ("balance_micros", "inject", "order_latency_ms", "markets", "synthetic", "catalogue"):
        if getattr(options, name) < 0:
            raise OptionError(f"{name}={getattr(options, name)}: give 0 or more")
    if options.duration_ms <= 0:
        raise OptionError(f"duration_ms={options.duration_ms}: give a positive number of milliseconds")
    made = (options.markets or 1) if options.books == "synthetic" else options.synthetic
    if made * options.duration_ms > _MOST_MARKET_HOURS * _HOUR_MS:
        hours = f"{made} markets of {options.duration_ms / _HOUR_MS:g} hours"
        raise OptionError(f"duration_ms={options.duration_ms}: {hours} do not fit into memory; make them shorter or fewer")
    if options.synthetic and options.books == "synthetic":
        raise OptionError(f"synthetic={options.synthetic}: all books are synthetic already, say how many with markets")
    if options.slug is not None and options.books == "synthetic":
        raise OptionError(f"slug={options.slug}: synthetic markets are made from the seed, leave the slug out or use recorded books")
    return options


def read_scenario(path: Path | None, *, seed: int) -> FaultPlan:
    """The faults of a scenario file, none without one. Raises OptionError for a file that cannot be read or understood."""
    if path is None:
        return FaultPlan(seed=seed)
    try:
        return FaultPlan.from_json(path.read_text(encoding="utf-8"), seed=seed)
    except (OSError, UnicodeError) as error:
        raise OptionError(f"scenario={path}: cannot be read ({error}); give a readable JSON file of faults") from None
    except FaultError as error:
        raise OptionError(f"scenario={path}: {error}") from None


def open_books(options: ServeOptions, *, start_ms: int) -> BookSource:
    """The books the options ask for. Raises OptionError for an unknown slug."""
    if options.books == "synthetic":
        return _synthetic(options, start_ms=start_ms, markets=options.markets or 1, per_hour=options.inject)
    try:
        recorded: BookSource = RecordedBooks(start_ms=start_ms, only=options.slug, from_offset_ms=options.from_offset_ms)
    except ValueError as error:
        raise OptionError(str(error)) from None
    if options.markets:
        recorded = FirstMarkets(recorded, count=options.markets)
    if options.inject:
        recorded = DislocatedBooks(recorded, seed=options.seed, count=options.inject)
    if not options.synthetic:
        return recorded
    per_hour = -(-options.inject * _HOUR_MS // options.duration_ms)
    return SideBySide(recorded, _synthetic(options, start_ms=start_ms, markets=options.synthetic, per_hour=per_hour))


def _synthetic(options: ServeOptions, *, start_ms: int, markets: int, per_hour: int) -> BookSource:
    return SyntheticBooks(
        seed=options.seed, start_ms=start_ms, markets=markets, duration_ms=options.duration_ms, dislocations_per_hour=per_hour
    )


def books_label(options: ServeOptions) -> str:
    """Which books are real and which are made up, as every answer and report says it."""
    label: str = options.books
    if options.books == "recorded" and options.inject:
        label += f" + {options.inject} synthetic dislocations a market"
    return label + (f" + {options.synthetic} synthetic markets" if options.synthetic else "")


def open_exchange(options: ServeOptions, *, start_ms: int) -> Exchange:
    """The core with its books and faults; reads recordings, so it takes a moment. Raises OptionError."""
    checked(options)
    faults = read_scenario(options.scenario, seed=options.seed)
    settings = ExchangeSettings(order_latency_ms=options.order_latency_ms)
    source = open_books(options, start_ms=start_ms)
    return Exchange(source, seed=options.seed, start_ms=start_ms, settings=settings, faults=faults)


def open_clock(*, speed: float, start_ms: int) -> VenueClock:
    """The clock of a venue whose books begin at `start_ms` and have been read by now.

    In real time it shows the wall's time, as a venue does: traders go by their own clocks, and its stamps must not be as old as the reading
    took. A faster one starts now, so that nobody misses its beginning; whoever trades there asks it for the time.
    """
    if speed == 1:
        return VenueClock(wall_s=time.time, start_wall_s=start_ms / 1000, start_ms=start_ms)
    return VenueClock.starting_now(time.time, speed=speed, start_ms=start_ms)


def urls_of(venue: Venue, *, host: str, port: int) -> dict[str, Any]:
    """Where everything is, and which markets there are."""
    base, sockets = f"http://{host}:{port}", f"ws://{host}:{port}"
    return {
        "clob": base,
        "gamma": f"{base}/gamma",
        "market_socket": f"{sockets}/ws/market",
        "user_socket": f"{sockets}/ws/user",
        "geoblock": f"{base}/api/geoblock",
        "admin": f"{base}/admin",
        "docs": f"{base}/docs",
        "books": venue.settings.books,
        "speed": venue.clock.speed,
        "markets": [market.slug for market in venue.exchange.markets],
    }


@contextlib.asynccontextmanager
async def serving(venue: Venue, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[Serving]:
    """Serve a venue until the block ends. Raises OSError when the port is taken."""
    driver = Driver(venue)
    runner = web.AppRunner(build_application(venue, driver), access_log=None, shutdown_timeout=_SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port)
        await site.start()
        bound_port: int = runner.addresses[0][1]
        driver.start()
        yield Serving(venue, driver, urls_of(venue, host=host, port=bound_port))
    finally:
        await driver.stop()
        driver.hang_up()
        await runner.cleanup()


async def serve(options: ServeOptions, ready: Callable[[dict[str, Any]], None], stop: asyncio.Event) -> None:
    """Run until `stop` is set; `ready` gets the URLs once requests are answered.

    Raises OptionError before anything is bound, OSError when the port is taken, and whatever ended the driver if it dies.
    """
    start_ms = round(time.time() * 1000)
    exchange = await asyncio.to_thread(open_exchange, options, start_ms=start_ms)
    clock = open_clock(speed=options.speed, start_ms=start_ms)
    settings = VenueSettings(
        balance_micros=options.balance_micros,
        seed=options.seed,
        books=books_label(options),
        catalogue=options.catalogue,
        attribution=ATTRIBUTION if options.books == "recorded" else "",
    )
    async with serving(Venue.opened(exchange, clock, settings), host=options.host, port=options.port) as running:
        ready(running.urls)
        await running.driver.run_until(stop)
