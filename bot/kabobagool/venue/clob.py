"""Reads of the CLOB: its version and clock, markets and books, and with credentials our balances, orders and trades.

Start-up checks, discovery, reconcile and the look-up of unknown orders call `ClobReader`. It sends no order and cancels none. `rows.py`
holds the types it returns.
"""

from collections.abc import Mapping, Sequence
from itertools import batched
from typing import Final, Literal

import msgspec

from kabobagool.clock import Clock
from kabobagool.venue import rows
from kabobagool.venue.errors import VenueError
from kabobagool.venue.reader import Reader, ResponseError, Signer, decode, field_integer
from kabobagool.venue.rows import Balance, BookSummary, MarketInfo, OrderRow, TradeRow
from kabobagool.venue.signing import ApiCredentials, l2_headers
from kabobagool.venue.transport import HttpReply

SUPPORTED_VERSION: Final = 2
BOOKS_PER_REQUEST: Final = 100
MAX_TRADE_PAGES: Final = 500
"""Pages of 100: beyond fifty thousand trades of one market something is wrong with the paging, not with the trader."""
_FIRST_CURSOR: Final = "MA=="
_LAST_CURSOR: Final = "LTE="
_MILLISECONDS_FROM: Final = 10**11
