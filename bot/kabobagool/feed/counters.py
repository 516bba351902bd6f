"""What the feed has seen, as plain numbers that only grow.

The feed adds to them on its hot path, so they are attributes and not metrics; telemetry reads them when it is scraped.
"""

from dataclasses import dataclass, field

from kabobagool.feed.reasons import ReconnectReason, ResnapshotReason


def _resnapshots() -> dict[ResnapshotReason, int]:
    return dict.fromkeys(ResnapshotReason, 0)


def _reconnects() -> dict[ReconnectReason, int]:
    return dict.fromkeys(ReconnectReason, 0)


@dataclass(slots=True)
class FeedCounters:
    """Counts since the process began. Several feeds may share one.

    `ticks` are published views, `conflated` those replaced before anybody looked. `mirror_mismatch` and `best_mismatch` count
    frames after which the books contradicted each other or the venue's own best prices. `superseded` deltas were already part
    of a newer snapshot. `resubscribed` counts markets that were subscribed anew because they, and not their connection, ailed.
    """

    frames: int = 0
    events: int = 0
    ticks: int = 0
    conflated: int = 0
    connects: int = 0
    decode_errors: int = 0
    unknown_asset: int = 0
    unknown_events: int = 0
    without_snapshot: int = 0
    duplicates: int = 0
    superseded: int = 0
    out_of_order: int = 0
    stale_snapshots: int = 0
    best_mismatch: int = 0
    mirror_mismatch: int = 0
    rest_disagreements: int = 0
    rest_failures: int = 0
    resubscribed: int = 0
    resnapshots: dict[ResnapshotReason, int] = field(default_factory=_resnapshots)
    reconnects: dict[ReconnectReason, int] = field(default_factory=_reconnects)
