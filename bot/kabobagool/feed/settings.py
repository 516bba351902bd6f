"""How patient the feed is. The composition root makes one of these; the feed, the watchdog and the back-off read it.

Every span is in seconds of the clock the feed was given; only `open_timeout_s` and `close_timeout_s` are the wall's, for they
bound the network.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedSettings:
    """Timings and bounds of one connection to the market channel.

    * `silence_s`: no event for a token this long and its book is compared with REST; doubles with every comparison that agrees.
    * `silence_limit`: that many comparisons in a row without a single event, and the connection is left.
    * `first_snapshot_s`: no first book this long after subscribing and it is fetched over REST.
    * `disagreement_s`: REST contradicted our book and the socket stayed silent this long: the connection is left.
    * `mirror_s`: YES and NO contradicted each other this long: both are fetched.
    * `retry_s`: pause after the first fetch that did not help, doubling; after `retry_limit` of them the connection is left.
    * `check_s`: the least pause of the watchdog when nothing calls it: it looks when something can be due, and no more often than this.
    * `ping_s`, `dead_s`: period of the text PING; no frame of any kind for `dead_s` and the connection is left.
    * `backoff_min_s`, `backoff_max_s`: bounds of the pause between connections; it starts over only after events kept coming
      for `steady_s`. `start_jitter_s` spreads the first connections of a fleet.
    * `unreadable_limit`: that many unreadable frames in a row and the connection is left.
    * `max_ids_a_frame`, `max_ids_a_socket`: even bounds on token ids, two for each market, where one socket feeds many markets.
    """

    silence_s: float = 30.0
    silence_limit: int = 4
    first_snapshot_s: float = 5.0
    disagreement_s: float = 2.0
    mirror_s: float = 2.0
    retry_s: float = 1.0
    retry_limit: int = 4
    fetch_timeout_s: float = 5.0
    check_s: float = 0.5
    ping_s: float = 10.0
    dead_s: float = 30.0
    backoff_min_s: float = 0.25
    backoff_max_s: float = 30.0
    steady_s: float = 10.0
    start_jitter_s: float = 0.25
    unreadable_limit: int = 3
    max_ids_a_frame: int = 100
    max_ids_a_socket: int = 200
    max_frame_bytes: int = 8 * 1024 * 1024
    open_timeout_s: float = 10.0
    close_timeout_s: float = 1.0
    proxy_url: str | None = None

    def __post_init__(self) -> None:
        for name in ("max_ids_a_frame", "max_ids_a_socket"):
            bound = getattr(self, name)
            if bound < 2 or bound % 2:
                raise ValueError(f"{name}={bound}: a market has two token ids, so this has to be an even number above 0")
