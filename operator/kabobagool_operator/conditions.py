"""What the operator says about a market: condition types, the reasons they may have, and what each of them means.

`plan.py` gives these, `reconcile.py` writes them into the status and makes Events of their transitions, alerts select by them, and
docs/conditions.md is generated from the texts here, so that code, alerts and documentation cannot say different things.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from kabobagool_operator.arbmarket_status import Condition as Written


class Type(StrEnum):
    """What a condition is about."""

    RESOLVED = "Resolved"
    READY = "Ready"
    MARKET_DATA_FRESH = "MarketDataFresh"
    TRADING = "Trading"
    DEGRADED = "Degraded"
    PAUSED = "Paused"


class Truth(StrEnum):
    """As Kubernetes writes it; `Unknown` is what a silent bot makes of everything only it can know."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Reason(StrEnum):
    """Why a condition has its value. One word each, for alerts and scripts; `MEANINGS` says what a person should think of it."""

    # Resolved
    FOUND = "Found"
    NOT_TRIED = "NotTried"
    NOT_FOUND = "MarketNotFound"
    AMBIGUOUS = "MarketAmbiguous"
    UNSUPPORTED = "MarketUnsupported"
    NOT_TRADABLE = "MarketNotTradable"
    CLOSED = "MarketClosed"
    VENUE_UNAVAILABLE = "VenueUnavailable"
    INVALID = "SpecInvalid"
    MODE_UNAVAILABLE = "ModeUnavailable"
    # Ready
    RUNNING = "Running"
    STARTING = "Starting"
    WAITING_FOR_SLOT = "WaitingForSlot"
    WAITING_FOR_MARKET = "WaitingForMarket"
    ROLLOUT_PENDING = "RolloutPending"
    ROLLOUT_STOPPED = "RolloutStopped"
    DUPLICATE = "DuplicateMarket"
    SUSPENDED = "Suspended"
    DRAINING = "Draining"
    CRASH_LOOP = "CrashLoop"
    IMAGE_PULL = "ImagePullFailed"
    CREDENTIALS_MISSING = "CredentialsMissing"
    UNSCHEDULABLE = "Unschedulable"
    EVICTED = "Evicted"
    QUOTA = "QuotaExceeded"
    REFUSED = "RefusedByApiServer"
    LEASE_HELD = "LeaseHeldElsewhere"
    NOT_READY = "BotNotReady"
    # MarketDataFresh
    FRESH = "Fresh"
    STALE = "Stale"
    # Trading
    WATCHING = "Watching"
    ORDERING = "Ordering"
    DRY_RUN = "DryRun"
    NOT_TRADING = "NotTrading"
    # Degraded
    HEALTHY = "Healthy"
    BOT_DEGRADED = "BotDegraded"
    NAKED_LEG = "NakedLeg"
    UNKNOWN_ORDER = "UnknownOrder"
    GATE_UNAVAILABLE = "GateUnavailable"
    WALLET_UNKNOWN = "WalletUnknown"
    # Paused
    NOT_PAUSED = "NotPaused"
    WALLET_HALTED = "WalletHalted"
    MARKET_HALTED = "MarketHalted"
    RECONCILIATION_PAUSED = "ReconciliationPaused"
    # any
    BOT_SILENT = "BotSilent"
    NO_BOT = "NoBot"


MEANINGS: Final[dict[Reason, str]] = {
    Reason.FOUND: "The venue lists the market and accepts orders.",
    Reason.NOT_TRIED: "The venue was not asked yet.",
    Reason.NOT_FOUND: "The venue lists no such market. Check the slug for a typing error; if it is listed later, the bot starts by itself.",
    Reason.AMBIGUOUS: "The name fits several markets. Name the one by `conditionId` or `tokens`.",
    Reason.UNSUPPORTED: "A kind of market that the bot does not know how to trade, such as one with three outcomes.",
    Reason.NOT_TRADABLE: "The venue lists the market but takes no orders for it now.",
    Reason.CLOSED: "The market has ended. Its bot is drained and removed; what it owns is paid out by the venue.",
    Reason.VENUE_UNAVAILABLE: "The venue could not be asked. It is asked again by itself; nothing is stopped because of it.",
    Reason.INVALID: "The resource contradicts itself; the message names the field, its value and the fix.",
    Reason.MODE_UNAVAILABLE: "The operator has no bots of this mode: Paper needs one that was installed with a paper exchange, Live one "
    "without. The message says what to choose.",
    Reason.RUNNING: "The bot's Pod is ready.",
    Reason.STARTING: "The Deployment exists, its Pod is not ready yet.",
    Reason.WAITING_FOR_SLOT: "Bots are started a few at a time; this one is in the queue.",
    Reason.WAITING_FOR_MARKET: "No bot before the market is resolved.",
    Reason.ROLLOUT_PENDING: "A new configuration or image waits for its turn; the bot runs with the old one.",
    Reason.ROLLOUT_STOPPED: "The first bots with the new configuration degraded, so the others keep the old one. Look at the canaries.",
    Reason.DUPLICATE: "An older ArbMarket trades the same market. Delete one of the two.",
    Reason.SUSPENDED: "`spec.suspend` is true: the bot was drained and there is no Pod.",
    Reason.DRAINING: "No new pair; naked legs are hedged, then the bot ends.",
    Reason.CRASH_LOOP: "The bot ends again and again. Its log says why: `kubectl logs`.",
    Reason.IMAGE_PULL: "The image cannot be fetched. Check its name and the pull secrets.",
    Reason.CREDENTIALS_MISSING: "The Secret named in `spec.credentials.secretName` does not exist or lacks a key.",
    Reason.UNSCHEDULABLE: "No node has room for the Pod, or its placement rules fit none.",
    Reason.EVICTED: "The node sent the Pod away; the Deployment makes a new one.",
    Reason.QUOTA: "The namespace's quota is used up. Raise it or run fewer markets.",
    Reason.REFUSED: "The API server refuses what the operator applies; the message is the server's.",
    Reason.LEASE_HELD: "Another bot trades this market with the same wallet. This one sends nothing until the other one ends.",
    Reason.NOT_READY: "The Pod runs and is not ready: its probe fails.",
    Reason.FRESH: "The books of both outcomes are up to date.",
    Reason.STALE: "The books are incomplete or far older than the bot trades on; it sends no order.",
    Reason.WATCHING: "The bot looks for pairs that cost less than they pay.",
    Reason.ORDERING: "An order is on its way.",
    Reason.DRY_RUN: "The bot decides and accounts as if trading, and sends no order.",
    Reason.NOT_TRADING: "The bot runs and opens nothing; its own reasons are in the message.",
    Reason.HEALTHY: "Nothing is wrong.",
    Reason.BOT_DEGRADED: "The bot stopped itself before sending anything more; a person has to look.",
    Reason.NAKED_LEG: "One half of a pair is missing; the bot is hedging or waits to.",
    Reason.UNKNOWN_ORDER: "What became of an order is not known; the bot asks the venue until it is.",
    Reason.GATE_UNAVAILABLE: "The shared order gate cannot be asked: no new pairs, hedges from the local budget.",
    Reason.WALLET_UNKNOWN: "The address that holds the money is not known, so nobody can hear the bot at the order gate. Give it in "
    "`spec.credentials.walletAddress`, or for all markets in the operator's `KABOBAGOOL_LIVE_WALLET`.",
    Reason.NOT_PAUSED: "Nothing stops this market.",
    Reason.WALLET_HALTED: "Somebody halted the whole wallet: `kabobagool gate status` says who and why.",
    Reason.MARKET_HALTED: "Somebody halted this market: `kabobagool gate status` says who and why.",
    Reason.RECONCILIATION_PAUSED: "The annotation `kabobagool.io/pause-reconciliation` freezes the Deployment; draining still works.",
    Reason.BOT_SILENT: "The bot has not reported for longer than it should; what it does is not known.",
    Reason.NO_BOT: "There is no bot, so there is nothing to know.",
}
"""What each reason means and what to do, one sentence or two. Every reason has one."""


MEANINGS_OF_TYPES: Final[dict[Type, str]] = {
    Type.RESOLVED: "The venue lists the market and takes orders for it. It stays true while the venue cannot be asked.",
    Type.READY: "The bot's Pod is ready. The reason says when it is not yet the bot that it should be.",
    Type.MARKET_DATA_FRESH: "The bot's books of both outcomes are up to date.",
    Type.TRADING: "The bot looks for pairs and sends orders for them. False in a dry run.",
    Type.DEGRADED: "Something is wrong that somebody should look at. The only one besides `Paused` that is good when it is false.",
    Type.PAUSED: "Somebody stopped the market: at the order gate, with `spec.suspend` or with the annotation.",
}
"""When each condition is true."""


LONGEST_MESSAGE: Final = 1024
"""Longer ones are cut off: an Event holds no more, and nobody reads more in a status."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One statement: what, whether, why. `message` is for people and may name figures; `reason` is for machines."""

    type: Type
    status: Truth
    reason: Reason
    message: str = ""


def written(conditions: Iterable[Condition], before: Iterable[Written], *, generation: int, now: datetime) -> tuple[Written, ...]:
    """The conditions as they are to be written at `now`, in the order of `Type`; one whose status stays keeps its time."""
    since = {(old.type, old.status): old.last_transition_time for old in before}
    order = list(Type)
    return tuple(
        Written(
            type=new.type.value,
            status=new.status.value,
            reason=new.reason.value,
            message=_clipped(new.message or MEANINGS[new.reason]),
            observed_generation=generation,
            last_transition_time=since.get((new.type.value, new.status.value), now),
        )
        for new in sorted(conditions, key=lambda condition: order.index(condition.type))
    )


def _clipped(message: str) -> str:
    return message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 1]}…"


def transitions(before: Iterable[Written], after: Iterable[Written]) -> tuple[Written, ...]:
    """The conditions whose status or reason is not what it was: these are worth an Event, repetitions are not."""
    known = {old.type: (old.status, old.reason) for old in before}
    return tuple(new for new in after if known.get(new.type) != (new.status, new.reason))
