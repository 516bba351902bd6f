"""Why the feed doubted a book or left a connection: one word each, the same in code, logs, metrics and docs.

`apply.py` and `freshness.py` give these reasons, `counters.py` counts by them, telemetry uses them as labels.
"""

from enum import StrEnum


class ResnapshotReason(StrEnum):
    """Why a book has to be read again over REST."""

    FIRST_SNAPSHOT = "first_snapshot"
    SILENCE = "silence"
    OUT_OF_ORDER = "out_of_order"
    BEST_MISMATCH = "best_mismatch"
    MIRROR_BROKEN = "mirror_broken"
    TICK_SIZE = "tick_size"
    UNREADABLE = "unreadable"


class ReconnectReason(StrEnum):
    """Why a connection ended or never came to be."""

    CONNECT_FAILED = "connect_failed"
    CLOSED = "closed"
    DEAD = "dead"
    SILENCE = "silence"
    DISAGREEMENT = "disagreement"
    NO_SNAPSHOT = "no_snapshot"
    UNREADABLE = "unreadable"
