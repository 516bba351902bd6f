"""May this pair of books be believed and traded? One reason for every no.

YES and NO are two views of one mirrored book, so nearly every sum of asks below one dollar is a stale or half-applied view. The rules
below are asked in this order and the first that objects is the reason: the same word in code, in metrics, in `/status` and in the
documents. How often each objects is a product feature, the edge truth.
"""

from enum import StrEnum

import msgspec

from kabobagool.domain.book import PairView
from kabobagool.domain.money import PRICE_ONE, Micros


class Reason(StrEnum):
    """Why no order was made of a view."""

    FRAME_HALF_APPLIED = "frame_half_applied"
    NO_SNAPSHOT = "no_snapshot"
    TICK_SIZE_CHANGED = "tick_size_changed"
    MARKET_RESOLVED = "market_resolved"
    NOT_ACCEPTING_ORDERS = "not_accepting_orders"
    TAKER_DELAY = "taker_delay"
    FEE_UNKNOWN = "fee_unknown"
    MARKET_ENDING = "market_ending"
    LEG_TOO_OLD = "leg_too_old"
    LEGS_APART_IN_TIME = "legs_apart_in_time"
    MIRROR_BROKEN = "mirror_broken"
    PAIR_COST_TOO_HIGH = "pair_cost_too_high"
    FEES_EAT_THE_EDGE = "fees_eat_the_edge"
    AVERAGE_COST_TOO_HIGH = "average_cost_too_high"
    TOO_THIN = "too_thin"
    POSITION_CAP = "position_cap"
    NOT_ENOUGH_BALANCE = "not_enough_balance"
    IMBALANCE = "imbalance"
    ORPHAN_LOSS_CAP = "orphan_loss_cap"
    ORPHAN_WAITS_FOR_SETTLEMENT = "orphan_waits_for_settlement"
    ORPHAN_OPEN = "orphan_open"
    ORDER_IN_FLIGHT = "order_in_flight"
    COOLDOWN = "cooldown"
    FROZEN = "frozen"
    DEGRADED = "degraded"
    STOPPING = "stopping"
    GATE_REFUSED = "gate_refused"
    VIEW_MOVED = "view_moved"
    VIEW_ALREADY_TRADED = "view_already_traded"
    JOURNAL_FAILED = "journal_failed"
    SIGNING_FAILED = "signing_failed"


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a trader allows, read once from the settings. Shares and dollars in millionths, times in milliseconds.

    `pair_limit_micros` is MAX_PAIR_COST - EDGE_BUFFER for one pair. `forced_hedge_above` is FORCE_HEDGE_IMBALANCE, or HEDGE_TOLERANCE
    when that is 0.
    """

    pair_limit_micros: Micros = 980_000
    taker_fee_bps: int = 1
    batch_shares: Micros = 50_000_000
    hedge_tolerance: Micros = 100_000_000
    forced_hedge_above: Micros = 100_000_000
    paired: bool = True
    max_leg_age_ms: int = 2_000
    max_leg_skew_ms: int = 250
    end_margin_ms: int = 60_000
    orphan_loss_cap: Micros = 5_000_000
    orphan_retry_ms: int = 20_000
    max_position: Micros = 500_000_000


def first_objection(view: PairView, policy: Policy, now_ms: int) -> Reason | None:
    """The first rule that forbids opening anything on this view, or None."""
    market, yes, no = view.market, view.yes, view.no
    if view.frame_open:
        return Reason.FRAME_HALF_APPLIED
    if not (yes.has_snapshot and no.has_snapshot):
        return Reason.NO_SNAPSHOT
    if not view.tick_is_current or yes.best_ask % market.tick_size or no.best_ask % market.tick_size:
        return Reason.TICK_SIZE_CHANGED
    if view.resolved:
        return Reason.MARKET_RESOLVED
    if not market.accepting_orders:
        return Reason.NOT_ACCEPTING_ORDERS
    if market.taker_delay_ms:
        return Reason.TAKER_DELAY
    if market.fee is None:
        return Reason.FEE_UNKNOWN
    if market.end_ms is not None and now_ms > market.end_ms - policy.end_margin_ms:
        return Reason.MARKET_ENDING
    skew_ms = yes.venue_ms - no.venue_ms
    older_ms, newer_ms = (no.venue_ms, yes.venue_ms) if skew_ms > 0 else (yes.venue_ms, no.venue_ms)
    if now_ms - older_ms > policy.max_leg_age_ms or newer_ms - now_ms > policy.max_leg_age_ms:  # who knows how old one of tomorrow is?
        return Reason.LEG_TOO_OLD
    if not -policy.max_leg_skew_ms <= skew_ms <= policy.max_leg_skew_ms:  # most sums below one dollar die here
        return Reason.LEGS_APART_IN_TIME
    if yes.best_ask + no.best_bid != PRICE_ONE or no.best_ask + yes.best_bid != PRICE_ONE:  # ask NO = 1 - bid YES, or the view is stale
        return Reason.MIRROR_BROKEN
    return None
