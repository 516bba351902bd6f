"""What is known about one market before anything is decided: gathered by `observe.py`, judged by `plan.py`.

Plain data and no behaviour. Everything here can be made up in a test, and is: the table of docs/lifecycle.md is tested with nothing else.
Moments are seconds of the operator's clock (`now_s`), ages are seconds.
"""

from enum import StrEnum

import msgspec

from kabobagool.gate.interface import Halt
from kabobagool.gate.redis_status import BotStatus
from kabobagool_operator.arbmarket_status import MarketFacts
from kabobagool_operator.conditions import Reason


class Resolved(msgspec.Struct, frozen=True):
    """The venue lists the market and takes orders for it."""

    facts: MarketFacts


class Unresolved(msgspec.Struct, frozen=True, kw_only=True):
    """It does not, or could not be asked. `ended` when it never will again; `facts` when they were known before."""

    reason: Reason
    message: str
    ended: bool = False
    facts: MarketFacts | None = None


Resolution = Resolved | Unresolved


class PodTrouble(StrEnum):
    """What keeps a Pod from running, as far as the operator tells causes apart."""

    CRASH_LOOP = "crash loop"
    IMAGE_PULL = "image pull"
    CREDENTIALS = "credentials"
    UNSCHEDULABLE = "unschedulable"
    EVICTED = "evicted"


class PodFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One Pod of the bot."""

    name: str
    ready: bool
    age_s: float
    config_hash: str
    trouble: PodTrouble | None = None
    message: str = ""
    restarts: int = 0
    ending: bool = False


class BotDeployment(msgspec.Struct, frozen=True, kw_only=True):
    """The bot's Deployment. `drifted`: somebody changed what the operator applied. `config_hash`: what its Pod template says.

    `canary`: it says that the bot tries its configuration for the others.
    """

    name: str
    uid: str
    config_hash: str
    replicas: int
    ready: bool
    drifted: bool
    deleting: bool = False
    canary: bool = False
    image: str = ""
    quota_message: str = ""
    """Why its Pods cannot be made, when the API server said so."""


class GateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The wallet's order gate, as far as it concerns the market. Everything else is stale when it is not `reachable`.

    `halts` are those that concern it, the wallet's first. `open_intents` is None when it could not be read. `wallet_known` is False when
    nobody says which wallet it is, so that there is nothing to ask for.
    """

    reachable: bool
    wallet_known: bool = True
    report: BotStatus | None = None
    report_age_s: float | None = None
    lease_holder: str | None = None
    lease_number: int | None = None
    halts: tuple[Halt, ...] = ()
    open_intents: bool | None = None


class Slots(msgspec.Struct, frozen=True, kw_only=True):
    """What the fleet allows this market now: see `rollout.py`. `stopped` says why nobody may roll.

    `canary`: whether its Deployment is to say that the bot tries a change for the others; None leaves it at what it says. `given` is False
    before the operator has seen the whole fleet.
    """

    may_create: bool = True
    may_roll: bool = True
    stopped: str | None = None
    canary: bool | None = None
    given: bool = True


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that `plan` looks at, besides the resource itself."""

    resolution: Resolution | None
    deployment: BotDeployment | None
    pods: tuple[PodFacts, ...] = ()
    gate: GateFacts = GateFacts(reachable=False)
    slots: Slots = Slots()
    duplicate_of: str | None = None
    """The name of an older ArbMarket for the same market and wallet, None when this one may trade."""
    apply_refused: str | None = None
    """What the API server said when the last apply was refused for good."""
    refused_by_quota: bool = False
    """Whether it was a quota that `apply_refused` speaks of."""
    config_problem: str | None = None
    """Why no configuration can be made of what the spec asks for: which variable, its value, the fix."""
    desired_hash: str = ""
    """Hash of the configuration that the bot should run with, '' while it cannot be made."""
