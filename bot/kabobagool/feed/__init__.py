"""The market feed: from the venue's socket to a view of both books that a decision may believe.

`market_feed.py` keeps the connection, `apply.py` turns whole frames into book changes, `freshness.py` doubts them when they
grow old, and `price_buffer.py` hands the latest view to whoever decides. The engine consumes it; nothing here knows what a
strategy is.
"""

from kabobagool.feed.apply import Applied, FrameApplier, Verdict
from kabobagool.feed.counters import FeedCounters
from kabobagool.feed.market_feed import MarketFeed
from kabobagool.feed.price_buffer import ConflatingPriceBuffer
from kabobagool.feed.reasons import ReconnectReason, ResnapshotReason
from kabobagool.feed.settings import FeedSettings

__all__ = [
    "Applied",
    "ConflatingPriceBuffer",
    "FeedCounters",
    "FeedSettings",
    "FrameApplier",
    "MarketFeed",
    "ReconnectReason",
    "ResnapshotReason",
    "Verdict",
]
