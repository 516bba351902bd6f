"""The page a person sees at /docs: what this exchange models, what it does not, and where its books come from.

Plain HTML without scripts; served by `application.py`.
"""

from html import escape

from paper_exchange.faults import FaultKind
from paper_exchange.server.admin import clock_view
from paper_exchange.server.venue import Venue

MODELLED = (
    "API keys and both kinds of signed headers, checked; version 2 orders with their EIP-712 signatures for wallet types 0 to 3",
    "FOK and FAK orders with the venue's rules, prices, fees, order of checks and error texts; the order id is the order's hash",
    "depth which is visible but not real: an order only matches what the next snapshot and the mirrored outcome confirm",
    "our own fills take depth until that level changes; settlement in steps MATCHED, MINED, CONFIRMED or FAILED; payouts",
    "a token bucket for each signer with its headers; restarts, lost replies, frozen and broken sockets, on demand",
    "Gamma listings by cursor, the market and the user channel",
)
NOT_MODELLED = (
    "resting orders (GTC, GTD), maker rebates, rewards, RFQ, splitting, merging and redeeming on chain",
    "the reaction of other traders: nobody follows or flees because of an order placed here",
    "the Data API, the relayer, the edge's limits by address",
    "queue position: a fill takes from a level as a whole",
)


def _bullets(lines: tuple[str, ...]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _market_rows(venue: Venue) -> str:
    rows = (
        f"<tr><td>{escape(market.slug)}</td><td>{market.origin}</td><td>{escape(market.condition_id)}</td></tr>"
        for market in venue.exchange.markets
    )
    return "<table><tr><th>slug</th><th>books</th><th>condition id</th></tr>" + "".join(rows) + "</table>"


def docs_page(venue: Venue) -> str:
    """The page for this venue."""
    clock = clock_view(venue)
    attribution = venue.settings.attribution or "Synthetic books, generated from a seed; they resemble no real market."
    faults = tuple(kind.value for kind in FaultKind)
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Paper exchange</title>
<style>body{{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}}td,th{{text-align:left;padding:.2em 1em .2em 0}}</style>
</head><body><h1>Paper exchange</h1>
<p>A local stand-in for Polymarket's CLOB, Gamma and sockets. No money, no keys of value, no internet. Do not expose it to a network.</p>
<h2>Modelled</h2>{_bullets(MODELLED)}
<h2>Not modelled</h2>{_bullets(NOT_MODELLED)}
<h2>Books</h2><p>{escape(venue.settings.books)}. {escape(attribution)}</p>{_market_rows(venue)}
<h2>Clock</h2><p>Venue time runs {clock["speed"]} times as fast as yours. <code>GET /time</code> tells it.</p>
<h2>Where</h2><p>CLOB at <code>/</code>, Gamma at <code>/gamma</code>, sockets at <code>/ws/market</code> and <code>/ws/user</code>,
the true state at <code>/admin/state</code>, faults by <code>POST /admin/faults</code>, and <code>DELETE</code> there ends them all.</p>
<h2>Faults</h2>{_bullets(faults)}
</body></html>
"""
