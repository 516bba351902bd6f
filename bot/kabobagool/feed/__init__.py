"""The market feed: from the venue's socket to a view of both books that a decision may believe.

`market_feed.py` feeds one market and `multiplex_feed.py` many, both over a `connection.py`; `apply.py` turns whole frames into
book changes, `freshness.py` doubts them when they grow old, and `price_buffer.py` hands the latest view to whoever decides. The
engine consumes it; nothing here knows what a strategy is. The modules are imported by name, because telemetry needs the counters
and not the socket library.
"""
