"""What the operator is measured on: ArbMarkets of a venue's markets, and the objects and the status that each of them becomes.

`operator_bare.py` applies ArbMarkets before the operator starts, and for the reference also what the operator would write. The markets are
those of `fleet_traffic.py`.
"""

from collections.abc import Mapping
from typing import Any

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_status import MarketFacts, TokenPair
from kabobagool_operator.blueprints import Blueprints
from kabobagool_operator.bot_profiles import Profiles
from kabobagool_operator.conditions import Reason, Truth, Type
from kabobagool_operator.deployment import Desired
from kabobagool_operator.labels import FINALIZER
from kabobagool_operator.policy import Policy
from tests.bench.fleet_traffic import catalogue_entry, condition_of, tokens_of

Body = dict[str, Any]
SAID: Mapping[Type, tuple[Truth, Reason]] = {
    Type.RESOLVED: (Truth.TRUE, Reason.FOUND),
    Type.READY: (Truth.FALSE, Reason.STARTING),
    Type.MARKET_DATA_FRESH: (Truth.UNKNOWN, Reason.STARTING),
    Type.TRADING: (Truth.FALSE, Reason.STARTING),
    Type.DEGRADED: (Truth.FALSE, Reason.HEALTHY),
    Type.PAUSED: (Truth.FALSE, Reason.NOT_PAUSED),
}


def arb_market(number: int) -> Body:
    """An ArbMarket as a person applies it."""
    return {
        "apiVersion": "kabobagool.io/v1alpha1",
        "kind": "ArbMarket",
        "metadata": {"name": f"market-{number}"},
        "spec": {"market": {"conditionId": condition_of(number)}},
    }


def facts_of(number: int) -> MarketFacts:
    """What the venue says of it."""
    said, (yes, no) = catalogue_entry(number), tokens_of(number)
    return MarketFacts(
        slug=said["slug"],
        question=said["question"],
        condition_id=condition_of(number),
        tokens=TokenPair(yes=yes, no=no),
        end_time=said["endDate"],
        tick_size="0.001",
        neg_risk=False,
        fees_enabled=True,
    )


class Bots:
    """What the operator makes of an ArbMarket, made without it."""

    def __init__(self) -> None:
        policy = Policy()
        self._blueprints = Blueprints(policy, Profiles(policy.profiles_dir))

    def objects(self, body: Body, number: int) -> Desired:
        """ConfigMap and Deployment of an ArbMarket that is there."""
        found = self._blueprints.of(ArbMarket.parse(body), facts_of(number)).desired
        assert found is not None
        return found


def finalizer_patch() -> list[Body]:
    """What lets an ArbMarket stay until its bot has gone."""
    return [{"op": "add", "path": "/metadata/finalizers", "value": [FINALIZER]}]


def status(number: int, wanted: Desired) -> Body:
    """What is said of a market whose bot was just made."""
    conditions = [
        {
            "type": about.value,
            "status": truth.value,
            "reason": reason.value,
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
            "observedGeneration": 1,
        }
        for about, (truth, reason) in SAID.items()
    ]
    facts = facts_of(number).model_dump(mode="json", by_alias=True, exclude_none=True)
    deployment = {"name": wanted.deployment["metadata"]["name"], "configHash": wanted.hash, "image": "kabobagool-bot:latest"}
    said = {"observedGeneration": 1, "phase": "Starting", "reason": "Starting", "conditions": conditions}
    return {"status": {**said, "market": facts, "deployment": deployment}}
