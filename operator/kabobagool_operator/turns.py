"""Whether a market may be made or changed at all, and what the fleet needs to know of it to give out turns.

`reconcile.py` hands the row of every look to `fleet.py`. Pure.
"""

from datetime import datetime

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.facts import Resolved
from kabobagool_operator.labels import PAUSE
from kabobagool_operator.observe import Sight
from kabobagool_operator.plan_beliefs import believed, stop_before
from kabobagool_operator.rollout_rows import Row, row_of


def row_of_look(market: ArbMarket | None, sight: Sight) -> Row | None:
    """The row of a market after a look, None when nobody may touch its bot now, or nothing can be made of what it asks for."""
    if market is None or not sight.observed.desired_hash or not _may_be_touched(market, sight):
        return None
    made = None if sight.deployment is None else sight.deployment["metadata"]["creationTimestamp"]
    created = market.metadata.creation_timestamp
    return row_of(
        market.metadata.name,
        created_s=created.timestamp() if created is not None else 0.0,
        desired_hash=sight.observed.desired_hash,
        deployment=sight.observed.deployment,
        made_s=None if made is None else datetime.fromisoformat(made).timestamp(),
        pods=sight.observed.pods,
        report=sight.observed.gate.report,
        stopped=stop_before(market.status) is not None,
    )


def _may_be_touched(market: ArbMarket, sight: Sight) -> bool:
    held = market.metadata.deleting or market.spec.suspend or market.metadata.annotations.get(PAUSE) == "true"
    resolution = believed(sight.observed.resolution, market.status)
    if held or sight.observed.duplicate_of is not None:
        return False
    return isinstance(resolution, Resolved) or (sight.deployment is not None and not resolution.ended)
