"""The command line of the paper exchange: options with their help, one JSON line when ready, a clean stop on a signal.

`paper_exchange.__main__` calls `main`.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paper_exchange.app import OptionError, ServeOptions, serve
from paper_exchange.server.numbers import micros_of

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2
_DEFAULTS = ServeOptions()
_EPILOG = """
examples:
  python -m paper_exchange --port 8080 --books recorded --speed 10 --inject 6
  python -m paper_exchange --books synthetic --markets 20 --inject 40 --scenario outage.json

a scenario is a JSON list of faults:
  [{"kind": "restart_425", "at_ms": 60000, "for_ms": 30000}, {"kind": "reply_dropped", "filled": true}]
"""


def _dollars(text: str) -> int:
    """Millionths of a dollar from a decimal text."""
    try:
        return micros_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}; give dollars such as 1000 or 250.50") from None


def build_parser() -> argparse.ArgumentParser:
    """The parser; its defaults are those of ServeOptions."""
    parser = argparse.ArgumentParser(
        prog="python -m paper_exchange",
        description="A local exchange that speaks Polymarket's CLOB, Gamma and socket protocols. No money, no internet.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    server = parser.add_argument_group("server")
    server.add_argument("--port", type=int, default=_DEFAULTS.port, help="port to listen on, 0 for any free one (default %(default)s)")
    server.add_argument("--host", default=_DEFAULTS.host, help="address to listen on (default %(default)s: this machine only)")
    server.add_argument(
        "--speed", type=float, default=_DEFAULTS.speed, help="venue seconds that pass in one real second (default %(default)s)"
    )
    books = parser.add_argument_group("books")
    books.add_argument(
        "--books", choices=("recorded", "synthetic"), default=_DEFAULTS.books, help="where order books come from (default %(default)s)"
    )
    books.add_argument("--slug", help="only this recorded market")
    books.add_argument("--markets", type=int, default=_DEFAULTS.markets, metavar="N", help="only the first N markets (synthetic: make N)")
    books.add_argument(
        "--synthetic", type=int, default=_DEFAULTS.synthetic, metavar="N", help="made-up markets beside the recorded ones (default none)"
    )
    books.add_argument(
        "--inject",
        type=int,
        default=_DEFAULTS.inject,
        metavar="N",
        help="true pairs below $1: N a recorded market, N an hour of a synthetic one",
    )
    books.add_argument("--from-offset-ms", type=int, metavar="MS", help="start recorded markets at this moment of their quarter hour")
    books.add_argument("--duration-ms", type=int, default=_DEFAULTS.duration_ms, metavar="MS", help="how long synthetic markets last")
    books.add_argument(
        "--catalogue",
        type=int,
        default=_DEFAULTS.catalogue,
        metavar="N",
        help="list N more markets, odd ones among them, that have no books",
    )
    trading = parser.add_argument_group("trading")
    trading.add_argument(
        "--balance",
        type=_dollars,
        default=_DEFAULTS.balance_micros,
        metavar="DOLLARS",
        help="what every wallet starts with (default 1000)",
    )
    trading.add_argument(
        "--order-latency-ms", type=int, default=_DEFAULTS.order_latency_ms, metavar="MS", help="venue time an order travels (default 0)"
    )
    trading.add_argument("--scenario", type=Path, metavar="FILE", help="JSON file of faults to act out")
    trading.add_argument("--seed", type=int, default=_DEFAULTS.seed, help="the same seed gives the same run (default %(default)s)")
    return parser


def options_from(arguments: Sequence[str] | None) -> ServeOptions:
    """Options from the command line; argparse exits with 2 on what it cannot read."""
    values = vars(build_parser().parse_args(arguments))
    return ServeOptions(balance_micros=values.pop("balance"), **values)


def _announce(urls: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(urls) + "\n")
    sys.stdout.flush()


async def _run(options: ServeOptions) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await serve(options, _announce, stop)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal; 0 after a clean stop, 1 when the port is taken, 2 for options that cannot work."""
    options = options_from(arguments)
    try:
        asyncio.run(_run(options))
    except OptionError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_USAGE
    except OSError as error:
        sys.stderr.write(f"port={options.port}, host={options.host}: {error.strerror or error}; choose another one\n")
        return EXIT_FAILED
    return EXIT_OK
