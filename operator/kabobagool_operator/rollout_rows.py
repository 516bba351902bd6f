"""A market as one row of the fleet: how its bot runs and with what, all that `rollout.py` needs to give out turns.

`fleet.py` makes one for each market from its caches, about once a second.
"""

from collections.abc import Sequence

import msgspec

from kabobagool.engine.market_engine import EngineState
from kabobagool.gate.redis_status import BotStatus
from kabobagool_operator.facts import BotDeployment, PodFacts
from kabobagool_operator.plan_beliefs import is_bot_of
from kabobagool_operator.plan_ready import STARTUP_S


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One market that is to have a bot which may be touched: not suspended, not paused, not draining, its configuration known.

    `created_s`: age decides who comes first. `running_hash`: what the bot runs with, None while there is none. `made_s`: when its
    Deployment was made. `trouble`: what is wrong with the bot, in words; None when nothing is. Moments are seconds of one clock.
    `canary`: its Deployment says that it tries a change for the others. `stopped`: its status says that the change does not go on.
    """

    name: str
    created_s: float
    desired_hash: str
    running_hash: str | None = None
    made_s: float | None = None
    ready: bool = False
    trouble: str | None = None
    canary: bool = False
    stopped: bool = False

    @property
    def missing(self) -> bool:
        """Whether the bot is still to be made."""
        return self.running_hash is None

    @property
    def outdated(self) -> bool:
        """Whether the bot runs with another configuration than it should."""
        return self.running_hash is not None and self.running_hash != self.desired_hash

    @property
    def down(self) -> bool:
        """Whether the bot does nothing that a change could interrupt."""
        return self.trouble is not None and not self.ready

    @property
    def up(self) -> bool:
        """Whether the bot runs as it should, and well."""
        return self.running_hash == self.desired_hash and self.ready and self.trouble is None


def row_of(
    name: str,
    *,
    created_s: float,
    desired_hash: str,
    deployment: BotDeployment | None,
    made_s: float | None,
    pods: Sequence[PodFacts],
    report: BotStatus | None,
    stopped: bool,
) -> Row:
    """The row of a market.

    Only a Pod of the running configuration counts: what an older one did says nothing about this one, and what the Deployment says of its
    Pods may be of those that have just gone.
    """
    if deployment is None or deployment.replicas == 0:
        return Row(name=name, created_s=created_s, desired_hash=desired_hash)
    running = deployment.config_hash
    pod = min((pod for pod in pods if pod.config_hash == running and not pod.ending), key=lambda pod: (pod.age_s, pod.name), default=None)
    return Row(
        name=name,
        created_s=created_s,
        desired_hash=desired_hash,
        running_hash=running,
        made_s=made_s,
        ready=pod is not None and pod.ready,
        trouble=_trouble(pod, report) if pod else None,
        canary=deployment.canary,
        stopped=stopped,
    )


def _trouble(pod: PodFacts, report: BotStatus | None) -> str | None:
    if not pod.ready and pod.trouble is not None:
        return pod.trouble.value
    if pod.age_s < STARTUP_S:
        return None  # a bot that just started may not be ready, and may not have made sure of its position
    if not pod.ready:
        return "not become ready"
    heard = report is not None and report.phase == EngineState.DEGRADED and is_bot_of(report.holder, pods={pod.name}, deployments=())
    return "degraded" if heard else None
