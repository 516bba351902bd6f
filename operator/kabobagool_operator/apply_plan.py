"""Carries out what a plan calls for, in its order. Every action is safe to repeat; one that was lost in a crash comes again.

`reconcile.py` calls it. Nothing is decided here. What the API server refuses for good is remembered and said; everything else that fails is
raised, and the queue comes back to the market after a pause.
"""

from collections.abc import Sequence
from typing import Any, Final, assert_never

from kabobagool_operator.arbmarket import Metadata
from kabobagool_operator.arbmarket_status import DeploymentFacts, Status
from kabobagool_operator.bot_writer import write_bot
from kabobagool_operator.caches import Caches
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_errors import ClusterError
from kabobagool_operator.deployment import Desired
from kabobagool_operator.facts import BotDeployment
from kabobagool_operator.gate_view import GateView
from kabobagool_operator.kinds import ARB_MARKET, CONFIG_MAP, DEPLOYMENT, Kind
from kabobagool_operator.labels import FINALIZER, INSTANCE, MANAGED_BY, MANAGER
from kabobagool_operator.observe import Sight
from kabobagool_operator.plan_types import Action
from kabobagool_operator.refusals import Refusals

FINALIZERS: Final = "/metadata/finalizers"
Operations = Sequence[dict[str, Any]]


class Hands:
    """Acts on one market at a time. The caches learn what was written before the watch tells them."""

    def __init__(self, cluster: Cluster, caches: Caches, gate: GateView, refusals: Refusals) -> None:
        self._cluster = cluster
        self._caches = caches
        self._gate = gate
        self._refusals = refusals

    async def carry_out(self, actions: Sequence[Action], market: Metadata, sight: Sight) -> tuple[Action, ...]:
        """Do what there is to do; what of it was done, or refused for good. Raises a ClusterError for what may work later."""
        due = tuple(action for action in actions if not self._is_put_off(action, market, sight))
        for action in due:
            await self._do(action, market, sight)
        return due

    async def tidy_up(self, market: Metadata, status: Status, sight: Sight) -> None:
        """Finish a change whose end an operator did not live to report: its status does not name the configuration that is used by now."""
        wanted, deployment = sight.desired, sight.observed.deployment
        changed = wanted is not None and deployment is not None and deployment.config_hash == wanted.hash
        if wanted is not None and changed and _may_have_had_another(market, status.deployment, wanted):
            await self._remove_config_maps(market, but=wanted.config_map["metadata"]["name"])

    def _is_put_off(self, action: Action, market: Metadata, sight: Sight) -> bool:
        """Whether it was refused a moment ago."""
        return action is Action.APPLY_BOT and self._refusals.is_recent(market.name, sight.observed.desired_hash)

    async def _do(self, action: Action, market: Metadata, sight: Sight) -> None:
        match action:
            case Action.ADD_FINALIZER:
                await self._add_finalizer(market)
            case Action.REMOVE_FINALIZER:
                await self._remove_finalizer(market)
            case Action.APPLY_BOT:
                await self._apply_bot(market, sight)
            case Action.SCALE_TO_ZERO:
                await self._scale_to_zero(market, sight)
            case Action.REMOVE_BOT:
                await self._remove_bot(market, sight)
            case Action.MARK_DRAINING:
                if sight.wallet is not None and sight.condition_id is not None:
                    await self._gate.mark_draining(sight.wallet, sight.condition_id)
            case Action.LIFT_DRAINING:
                if sight.wallet is not None and sight.condition_id is not None:
                    await self._gate.lift_draining(sight.wallet, sight.condition_id)
            case _:
                assert_never(action)

    async def _apply_bot(self, market: Metadata, sight: Sight) -> None:
        wanted = sight.desired
        if wanted is None:
            return
        try:
            self._learn(DEPLOYMENT, await write_bot(self._cluster, wanted))
        except ClusterError as e:
            if not self._refusals.note(market.name, wanted.hash, e):
                raise
            return
        self._refusals.clear(market.name)
        if _may_have_had_another(market, sight.observed.deployment, wanted):
            await self._remove_config_maps(market, but=wanted.config_map["metadata"]["name"])

    async def _scale_to_zero(self, market: Metadata, sight: Sight) -> None:
        """Nothing but the number changes: a bot is told to end with the configuration that it runs with."""
        if sight.deployment is not None:
            await self._patch(DEPLOYMENT, sight.deployment["metadata"], [{"op": "replace", "path": "/spec/replicas", "value": 0}])

    async def _remove_bot(self, market: Metadata, sight: Sight) -> None:
        if sight.deployment is not None:
            metadata = sight.deployment["metadata"]
            await self._cluster.delete(DEPLOYMENT, market.namespace, metadata["name"], uid=metadata["uid"])
        await self._remove_config_maps(market)

    async def _remove_config_maps(self, market: Metadata, *, but: str = "") -> None:
        labels = f"{MANAGED_BY}={MANAGER},{INSTANCE}={market.name}"
        for found in await self._cluster.list(CONFIG_MAP, market.namespace, labels=labels):
            metadata = found["metadata"]
            if metadata["name"] != but:
                await self._cluster.delete(CONFIG_MAP, market.namespace, metadata["name"], uid=metadata["uid"])

    async def _add_finalizer(self, market: Metadata) -> None:
        first = {"op": "add", "path": FINALIZERS, "value": [FINALIZER]}
        another = {"op": "add", "path": f"{FINALIZERS}/-", "value": FINALIZER}
        await self._patch_market(market, [another if market.finalizers else first])

    async def _remove_finalizer(self, market: Metadata) -> None:
        await self._patch_market(market, [{"op": "remove", "path": f"{FINALIZERS}/{market.finalizers.index(FINALIZER)}"}])

    async def _patch_market(self, market: Metadata, operations: Operations) -> None:
        metadata = {"namespace": market.namespace, "name": market.name, "resourceVersion": market.resource_version}
        await self._patch(ARB_MARKET, metadata, operations)

    async def _patch(self, kind: Kind, metadata: dict[str, Any], operations: Operations) -> None:
        namespace, name, version = metadata["namespace"], metadata["name"], metadata["resourceVersion"]
        self._learn(kind, await self._cluster.patch_json(kind, namespace, name, operations, resource_version=version))

    def _learn(self, kind: Kind, body: dict[str, Any]) -> None:
        self._caches.put(kind, body, by_us=True)


def _may_have_had_another(market: Metadata, before: BotDeployment | DeploymentFacts | None, wanted: Desired) -> bool:
    """Whether an older configuration may lie there. Not where nobody changed the market before it had a bot: a fleet is made at once."""
    return market.generation > 1 if before is None else before.config_hash != wanted.hash
