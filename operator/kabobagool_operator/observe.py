"""Everything that is known of one market now, gathered without asking anybody: caches, resolver, gate view, fleet.

`reconcile.py` calls it before it plans. What is wanted is made here too, because whether the Deployment is as it should be is a fact.
"""

from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_status import MarketFacts
from kabobagool_operator.blueprints import Blueprint, Blueprints
from kabobagool_operator.caches import Body, Caches
from kabobagool_operator.deployment import Desired
from kabobagool_operator.directory import Directory
from kabobagool_operator.drift_memory import DriftMemory
from kabobagool_operator.facts import BotDeployment, GateFacts, Observed, PodFacts, Resolution, Slots
from kabobagool_operator.fleet import Fleet
from kabobagool_operator.gate_view import GateView
from kabobagool_operator.kinds import DEPLOYMENT, POD
from kabobagool_operator.names import Wallets
from kabobagool_operator.plan_beliefs import believed
from kabobagool_operator.pods import bot_deployment, is_canary, pod_facts
from kabobagool_operator.refusals import Refusals
from kabobagool_operator.resolver import Resolver

OUT_OF_REACH = GateFacts(reachable=False)
NOBODYS = GateFacts(reachable=False, wallet_known=False)


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What is observed, and what it was compared with: the bot as it should be, the Deployment as it is, where its gate is."""

    observed: Observed
    desired: Desired | None = None
    deployment: Body | None = None
    wallet: str | None = None
    condition_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Observer:
    """Looks at one market at a time; nothing here waits."""

    caches: Caches
    resolver: Resolver
    directory: Directory
    gate: GateView
    fleet: Fleet
    blueprints: Blueprints
    refusals: Refusals
    wallets: Wallets
    drift: DriftMemory = field(default_factory=DriftMemory)

    def observe(self, market: ArbMarket, now: datetime) -> Sight:
        """A market whose spec can be read."""
        resolution = self.resolver.look(market)
        facts = believed(resolution, market.status).facts or market.status.market
        blueprint = Blueprint() if facts is None else self.blueprints.of(market, facts)
        wallet = self.wallets.name(market.spec)
        return self._sight(
            market.metadata.name,
            now,
            resolution=resolution,
            blueprint=blueprint,
            gate=self._gate(wallet, facts),
            wallet=wallet,
            condition_id=None if facts is None else facts.condition_id,
        )

    def observe_unreadable(self, name: str, now: datetime) -> Sight:
        """One whose spec cannot: nobody knows which gate is its own."""
        return self._sight(name, now, resolution=None, blueprint=Blueprint(), gate=OUT_OF_REACH)

    def _sight(
        self,
        name: str,
        now: datetime,
        *,
        resolution: Resolution | None,
        blueprint: Blueprint,
        gate: GateFacts,
        wallet: str | None = None,
        condition_id: str | None = None,
    ) -> Sight:
        pods = tuple(pod_facts(pod, now=now) for pod in self.caches.children(POD, name))
        body = next((found for found in self.caches.children(DEPLOYMENT, name) if found["metadata"]["name"] == name), None)
        slots = self.fleet.slots(name)
        wanted = _marked(blueprint.desired, slots, body)
        refusal = self.refusals.of(name, wanted.hash if wanted else "")
        observed = Observed(
            resolution=resolution,
            deployment=self._deployment(body, wanted, pods),
            pods=pods,
            gate=gate,
            slots=slots,
            duplicate_of=self.directory.duplicate_of(name),
            apply_refused=refusal.message if refusal else None,
            refused_by_quota=refusal.by_quota if refusal else False,
            config_problem=blueprint.problem,
            desired_hash=wanted.hash if wanted else "",
        )
        return Sight(observed=observed, desired=wanted, deployment=body, wallet=wallet, condition_id=condition_id)

    def _gate(self, wallet: str | None, facts: MarketFacts | None) -> GateFacts:
        """Without a wallet there is nothing to ask for, which is as good as a gate that is away, but for the words."""
        if wallet is None:
            return NOBODYS
        return self.gate.facts(wallet, facts.condition_id if facts is not None else "")

    def _deployment(self, body: Body | None, wanted: Desired | None, pods: tuple[PodFacts, ...]) -> BotDeployment | None:
        return None if body is None else bot_deployment(body, wanted, pods, is_covered=self.drift.covers)


def _marked(wanted: Desired | None, slots: Slots, found: Body | None) -> Desired | None:
    canary = found is not None and is_canary(found) if slots.canary is None else slots.canary
    return wanted.as_canary() if wanted is not None and canary else wanted
