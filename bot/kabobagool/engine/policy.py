"""The trader's settings as the immutable numbers a decision reads.

Made once at start by whoever composes an engine; the settings themselves never reach the hot path.
"""

from kabobagool.domain.edge import Policy
from kabobagool.settings import Settings


def policy_of(settings: Settings) -> Policy:
    """The policy these settings describe."""
    return Policy(
        pair_limit_micros=settings.max_pair_cost_micros - settings.edge_buffer_micros,
        taker_fee_bps=settings.taker_fee_bps,
        batch_shares=settings.batch_size_micros,
        hedge_tolerance=settings.hedge_tolerance_micros,
        forced_hedge_above=settings.hedge_tolerance_micros,
        paired=settings.entry_mode == "paired",
        max_leg_age_ms=settings.max_leg_age_ms,
        max_leg_skew_ms=settings.max_leg_skew_ms,
        end_margin_ms=settings.end_margin_ms,
        orphan_loss_cap=settings.orphan_loss_cap_micros,
        orphan_retry_ms=settings.orphan_retry_ms,
        max_position=settings.max_position_micros,
    )
