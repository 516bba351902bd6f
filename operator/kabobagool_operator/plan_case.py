"""One market at one moment, and what follows from the bare facts: whether the report is our bot's, whether anything runs.

The rules of `plan.py` judge this and nothing else. What is decided here once is not decided again in each of them.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final

from kabobagool.gate.interface import DRAINING, WALLET, Halt
from kabobagool.gate.redis_status import KEPT_MS, BotStatus
from kabobagool_operator.arbmarket import Metadata
from kabobagool_operator.arbmarket_spec import Spec
from kabobagool_operator.arbmarket_status import MarketFacts, Status
from kabobagool_operator.conditions import Reason
from kabobagool_operator.facts import BotDeployment, GateFacts, Observed, PodFacts, PodTrouble, Resolution, Resolved
from kabobagool_operator.gate_marks import is_ours as is_our_mark
from kabobagool_operator.labels import FINALIZER, PAUSE
from kabobagool_operator.plan_beliefs import believed, is_bot_of

SILENT_AFTER_S: Final = KEPT_MS / 1000
"""Bots renew their report several times within this; one that did not is silent."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """`spec` is None when it cannot be read; `problem` then says why. `gate_is_expected`: whether an order gate is configured at all.

    `mode_problem`: why the operator, as it was installed, makes no bot for the spec's mode.
    """

    metadata: Metadata
    status: Status
    spec: Spec | None
    observed: Observed
    now: datetime
    problem: str | None = None
    gate_is_expected: bool = True
    mode_problem: str | None = None

    @cached_property
    def resolution(self) -> Resolution:
        """What is believed of the market: what the venue says, else what it said last."""
        return believed(self.observed.resolution, self.status)

    @property
    def facts(self) -> MarketFacts | None:
        """What the venue ever said of the market, None before it was found."""
        return self.resolution.facts or self.status.market

    @property
    def tradable(self) -> bool:
        """Whether a bot may be made for the market."""
        return isinstance(self.resolution, Resolved)

    @property
    def ended(self) -> bool:
        """Whether the market will never trade again."""
        return not isinstance(self.resolution, Resolved) and self.resolution.ended

    @property
    def paused(self) -> bool:
        """Whether somebody froze the Deployment as it is."""
        return self.metadata.annotations.get(PAUSE) == "true"

    @property
    def has_finalizer(self) -> bool:
        """Whether the resource stays until we let it go."""
        return FINALIZER in self.metadata.finalizers

    # The bot in the cluster

    @property
    def deployment(self) -> BotDeployment | None:
        """The bot's Deployment."""
        return self.observed.deployment

    @cached_property
    def pods(self) -> tuple[PodFacts, ...]:
        """Pods that run or will; what is left of evicted ones is not among them."""
        return tuple(pod for pod in self.observed.pods if pod.trouble is not PodTrouble.EVICTED)

    @property
    def pod(self) -> PodFacts | None:
        """The Pod that counts: the youngest that is not on its way out."""
        return min((pod for pod in self.pods if not pod.ending), key=lambda pod: (pod.age_s, pod.name), default=None)

    @property
    def ready(self) -> bool:
        """Whether the bot's Pod is ready."""
        return self.pod.ready if self.pod else bool(self.deployment and self.deployment.replicas and self.deployment.ready)

    @property
    def has_bot(self) -> bool:
        """Whether a bot runs, or may begin to at any moment."""
        return bool(self.pods) or bool(self.deployment and self.deployment.replicas)

    # The gate

    @property
    def gate(self) -> GateFacts:
        """The wallet's order gate."""
        return self.observed.gate

    @property
    def gate_is_away(self) -> bool:
        """Whether there is a gate that cannot be asked. Without one, nothing is missing."""
        return self.gate_is_expected and not self.gate.reachable

    @property
    def unasked(self) -> Reason:
        """The word for a gate that cannot be asked about the market."""
        if self.gate.wallet_known:
            return Reason.GATE_UNAVAILABLE
        return Reason.WALLET_UNKNOWN if self.mode_problem is None else Reason.MODE_UNAVAILABLE

    @cached_property
    def last_report(self) -> BotStatus | None:
        """What our bot said last, however long ago."""
        report = self.gate.report
        return report if report is not None and self.is_ours(report.holder) else None

    @property
    def report(self) -> BotStatus | None:
        """What our bot says now; None when it is silent or nobody can hear it."""
        age_s = self.gate.report_age_s
        heard = self.gate.reachable and age_s is not None and age_s <= SILENT_AFTER_S
        return self.last_report if heard else None

    @property
    def rival(self) -> str | None:
        """The bot that holds the market in place of ours."""
        holder = self.gate.lease_holder if self.gate.reachable else None
        return holder if holder is not None and not self.is_ours(holder) else None

    @property
    def predecessor(self) -> str | None:
        """A bot of ours that holds the market while there is no Deployment that would run it."""
        holder = self.gate.lease_holder if self.gate.reachable and self.pods else None
        return holder if holder is not None and self.is_ours(holder) else None

    @cached_property
    def halts(self) -> tuple[Halt, ...]:
        """What people stopped; our own mark is not among it."""
        return tuple(halt for halt in self.gate.halts if not _is_own(halt))

    @property
    def own_mark(self) -> bool:
        """Whether our mark lies at the gate."""
        return self.gate.reachable and any(_is_own(halt) for halt in self.gate.halts)

    @property
    def closed_to_pairs(self) -> bool:
        """Whether a mark at the gate, whoever set it, keeps new pairs away for as long as hedges go on."""
        return self.gate.reachable and any(halt.scope.startswith(DRAINING) for halt in self.gate.halts)

    def is_ours(self, holder: str) -> bool:
        """Whether the holder of this name at the gate is our bot."""
        names = {deployment.name for deployment in (self.deployment, self.status.deployment) if deployment is not None}
        return is_bot_of(holder, pods=frozenset(pod.name for pod in self.observed.pods), deployments=names)


def of_wallet(halt: Halt) -> bool:
    """Whether a halt stops the whole wallet."""
    return halt.scope.removeprefix(DRAINING) == WALLET


def _is_own(halt: Halt) -> bool:
    return is_our_mark(halt) and halt.scope.startswith(DRAINING) and not of_wallet(halt)
