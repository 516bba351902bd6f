"""Markets at every point of their lives, for the tests of the plan: one for each row of docs/lifecycle.md, by the row's name."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from kabobagool.gate.interface import DRAINING, WALLET, Halt
from kabobagool.gate.redis_status import BotStatus
from kabobagool_operator.arbmarket import ArbMarket, Metadata
from kabobagool_operator.arbmarket_errors import ArbMarketError
from kabobagool_operator.arbmarket_spec import Spec
from kabobagool_operator.arbmarket_status import (
    Condition,
    DeploymentFacts,
    DrainFacts,
    MarketFacts,
    Phase,
    PositionFacts,
    Status,
    TokenPair,
)
from kabobagool_operator.conditions import Reason
from kabobagool_operator.facts import (
    BotDeployment,
    GateFacts,
    Observed,
    PodFacts,
    PodTrouble,
    Resolved,
    Slots,
    Unresolved,
)
from kabobagool_operator.gate_marks import WHO
from kabobagool_operator.labels import FINALIZER, PAUSE
from kabobagool_operator.observe import NOBODYS
from kabobagool_operator.plan import plan, plan_unreadable
from kabobagool_operator.plan_types import Plan
from kabobagool_operator.policy import Policy

NOW: Final = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
POLICY: Final = Policy(redis_url="redis://gate.invalid:6379/0")
WITHOUT_GATE: Final = Policy(redis_url=None)
AT_PAPER: Final = Policy(redis_url="redis://gate.invalid:6379/0", paper_wallet="0x" + "9e" * 20, paper_wallet_secret="play-wallet")
LIVE: Final[dict[str, Any]] = {"mode": "Live", "credentials": {"secretName": "wallet"}}
SHARE: Final = 1_000_000
CONDITION_ID: Final = "0x" + "ab" * 32
FACTS: Final = MarketFacts(slug="rain", question="Will it rain?", condition_id=CONDITION_ID, tokens=TokenPair(yes="111", no="222"))
POD: Final = "rain-5d8f7c9b6-x7k2p"
HOLDER: Final = f"1000@{POD}/1/abcdef012345"
STRANGER: Final = "trader@laptop/4711/0123456789ab"
OWN_MARK: Final = Halt(scope=DRAINING + CONDITION_ID, who=WHO, why="draining", since_ms=0)
NOT_RESOLVED: Final = Unresolved(reason=Reason.NOT_FOUND, message="rain: no such market")
PROBLEM: Final = "spec.profile=Fast: is not the name of a profile: lower-case letters, digits and hyphens, such as conservative"

Case = Callable[[], Plan]
CASES: Final[dict[str, Case]] = {}
"""Name of a row to the plan for it."""


def market(*, deleting: bool = False, finalizer: bool = True, paused: bool = False, status: Status | None = None, **spec: Any) -> ArbMarket:
    """An ArbMarket with a finalizer, unless told otherwise."""
    metadata = Metadata(
        name="rain",
        namespace="bots",
        uid="1",
        generation=3,
        deletion_timestamp=NOW - timedelta(seconds=1) if deleting else None,
        annotations={PAUSE: "true"} if paused else {},
        finalizers=(FINALIZER,) if finalizer else (),
    )
    asked = Spec.model_validate({"market": {"slug": "rain"}, **spec}, by_alias=True, by_name=False)
    return ArbMarket(metadata=metadata, spec=asked, status=status or Status())


def report(phase: str = "watching", *, holder: str = HOLDER, mode: str = "live", **fields: Any) -> BotStatus:
    """What the bot says."""
    return BotStatus(market=CONDITION_ID, holder=holder, mode=mode, phase=phase, **{"feed_age_ms": 1000, **fields})


def gate(phase: str | None = "watching", **fields: Any) -> GateFacts:
    """A gate that is there, with our bot's report of `phase`."""
    said = {} if phase is None else {"report": report(phase), "report_age_s": 2.0, "lease_holder": HOLDER, "lease_number": 7}
    return GateFacts(**{"reachable": True, **said, **fields})


def pod(**fields: Any) -> PodFacts:
    """A Pod that has been ready for long."""
    return PodFacts(**{"name": POD, "ready": True, "age_s": 3600.0, "config_hash": "h1", **fields})


def deployment(**fields: Any) -> BotDeployment:
    """A Deployment as it should be."""
    as_it_should_be = {"name": "rain", "uid": "2", "config_hash": "h1", "replicas": 1, "ready": True, "drifted": False, "image": "bot:1"}
    return BotDeployment(**{**as_it_should_be, **fields})


def running(**fields: Any) -> Observed:
    """A market whose bot runs, and what is different."""
    well = {"resolution": Resolved(FACTS), "deployment": deployment(), "pods": (pod(),), "gate": gate(), "desired_hash": "h1"}
    return Observed(**{**well, **fields})


def without_bot(**fields: Any) -> Observed:
    """A market that was found and has no bot."""
    return running(**{"deployment": None, "pods": (), "gate": gate(None), **fields})


def in_trouble(trouble: PodTrouble, **fields: Any) -> Observed:
    """A market whose Pod does not run."""
    broken = pod(**{"ready": False, "trouble": trouble, "message": f"the kubelet says: {trouble.value}", **fields})
    return running(deployment=deployment(ready=False), pods=(broken,), gate=gate(None))


def known(**fields: Any) -> Status:
    """The status of a market that was found before."""
    found = Condition(type="Resolved", status="True", reason="Found", message="found", last_transition_time=NOW)
    return Status(**{"conditions": (found,), "market": FACTS, "deployment": deployment_facts(), **fields})


def deployment_facts() -> DeploymentFacts:
    """What the status says of the bot's Deployment."""
    return DeploymentFacts(name="rain", config_hash="h1", image="bot:1")


def draining(seconds: float, **fields: Any) -> Status:
    """The status of a market whose drain began so long ago, with 60 s for it."""
    started = NOW - timedelta(seconds=seconds)
    return known(drain=DrainFacts(started_at=started, deadline=started + timedelta(seconds=60)), **fields)


def ours(arb: ArbMarket, observed: Observed, policy: Policy = POLICY) -> Plan:
    """The plan, now."""
    return plan(arb, observed, policy, NOW)


def halted(scope: str) -> GateFacts:
    """The gate after somebody halted a scope."""
    return gate(halts=(Halt(scope=scope, who="anna", why="maintenance of the wallet", since_ms=0),))


def marked(phase: str | None = "watching", **fields: Any) -> GateFacts:
    """The gate while our mark keeps new pairs away."""
    return gate(phase, **{"halts": (OWN_MARK,), "open_intents": False, **fields})


def row(name: str) -> Callable[[Case], Case]:
    """The case of that row."""

    def enter(case: Case) -> Case:
        assert name not in CASES, f"{name} is there twice"
        CASES[name] = case
        return case

    return enter


def put(name: str, arb: ArbMarket, observed: Observed, policy: Policy = POLICY) -> None:
    """A row that is the plan for these."""
    row(name)(lambda: ours(arb, observed, policy))


def unresolved(reason: Reason, **fields: Any) -> Unresolved:
    """The venue's no."""
    return Unresolved(reason=reason, message=f"the venue says: {reason.value}", **fields)


ENDED: Final = unresolved(Reason.CLOSED, ended=True, facts=FACTS)
NEW: Final = market(finalizer=False)
OLD: Final = market(status=known())
POSITION: Final = {"position": PositionFacts.of(yes=60 * SHARE, no=60 * SHARE), "locked_profit": "2.5"}
NAKED: Final = {"position": PositionFacts.of(yes=60 * SHARE, no=0), "locked_profit": "-30"}
GOING: Final = pod(ending=True)

# No bot yet
put("not-asked", NEW, without_bot(resolution=None))
put("venue-unavailable", NEW, without_bot(resolution=unresolved(Reason.VENUE_UNAVAILABLE)))
put("not-found", NEW, without_bot(resolution=NOT_RESOLVED))
put("ambiguous", NEW, without_bot(resolution=unresolved(Reason.AMBIGUOUS)))
put("unsupported", NEW, without_bot(resolution=unresolved(Reason.UNSUPPORTED)))
put("not-tradable", NEW, without_bot(resolution=unresolved(Reason.NOT_TRADABLE)))
put("configuration-invalid", NEW, without_bot(config_problem="MAX_PAIR_COST=2: a pair pays 1.00", desired_hash=""))
put("create", NEW, without_bot())
put("wait-for-slot", NEW, without_bot(slots=Slots(may_create=False)))
put("wait-for-predecessor", OLD, without_bot(pods=(GOING,), gate=gate("stopping")))
put("frozen-without-bot", market(paused=True), without_bot())
put("refused", NEW, without_bot(apply_refused="admission webhook said no"))
put("refused-by-quota", NEW, without_bot(apply_refused="exceeded quota: deployments", refused_by_quota=True))
put("duplicate", NEW, without_bot(duplicate_of="older-rain"))
put("paper-without-exchange", market(finalizer=False, mode="Paper"), without_bot(gate=NOBODYS))
put("live-with-exchange", market(finalizer=False, **LIVE), without_bot(gate=NOBODYS), AT_PAPER)
row("spec-unreadable")(lambda: plan_unreadable(NEW.metadata, Status(), ArbMarketError(PROBLEM), without_bot(resolution=None), POLICY, NOW))

# A bot
put("adopt", market(finalizer=False), running())
put("steady", OLD, running())
put("ordering", OLD, running(gate=gate("ordering")))
put("dry-run", OLD, running(gate=gate(report=report(mode="dry_run"))))
put("paper", market(mode="Paper", status=known()), running(), AT_PAPER)
put("repair-edited", OLD, running(deployment=deployment(drifted=True)))
put("repair-deleted", OLD, without_bot())
put("repair-while-venue-is-away", OLD, without_bot(resolution=unresolved(Reason.VENUE_UNAVAILABLE)))
put("deployment-being-deleted", OLD, running(deployment=deployment(deleting=True)))
put("roll", OLD, running(desired_hash="h2"))
put("rollout-pending", OLD, running(desired_hash="h2", slots=Slots(may_roll=False)))
put("rollout-stopped", OLD, running(desired_hash="h2", slots=Slots(may_roll=False, stopped="snow is not well: crash loop")))
put("rollout-frozen", market(paused=True, status=known()), running(desired_hash="h2"))
put("edited-while-frozen", market(paused=True, status=known()), running(deployment=deployment(drifted=True)))
put("change-refused", OLD, running(desired_hash="h2", apply_refused="Deployment is invalid: spec.template"))
put("configuration-invalid-with-bot", OLD, running(config_problem="MAX_PAIR_COST=2: a pair pays 1.00", desired_hash=""))
row("spec-unreadable-with-bot")(lambda: plan_unreadable(OLD.metadata, known(), ArbMarketError(PROBLEM), running(), POLICY, NOW))
put("venue-unavailable-with-bot", OLD, running(resolution=unresolved(Reason.VENUE_UNAVAILABLE)))
put("not-found-with-bot", OLD, running(resolution=NOT_RESOLVED))
put("operator-restarted", OLD, running(resolution=None))

# Its Pod
put("starting", OLD, running(deployment=deployment(ready=False), pods=(pod(ready=False, age_s=3.0),), gate=gate(None)))
put("not-ready", OLD, running(deployment=deployment(ready=False), pods=(pod(ready=False),), gate=gate(None)))
put("crash-loop", OLD, in_trouble(PodTrouble.CRASH_LOOP, restarts=7))
put("image-pull", OLD, in_trouble(PodTrouble.IMAGE_PULL))
put("credentials-missing", OLD, in_trouble(PodTrouble.CREDENTIALS))
put("unschedulable", OLD, in_trouble(PodTrouble.UNSCHEDULABLE))
put("evicted", OLD, in_trouble(PodTrouble.EVICTED))
put("quota", OLD, running(deployment=deployment(ready=False, quota_message="exceeded quota: pods"), pods=(), gate=gate(None)))
put("lease-held", OLD, running(gate=gate(None, lease_holder=STRANGER, lease_number=9)))

# What the bot says
put("silent", OLD, running(gate=gate(None)))
put("report-too-old", OLD, running(gate=gate(report_age_s=31.0)))
put("books-stale", OLD, running(gate=gate(report=report(feed_age_ms=61_000))))
put("books-missing", OLD, running(gate=gate(report=report(feed_age_ms=None))))
put("bot-degraded", OLD, running(gate=gate(report=report("degraded", reasons=("order refused: signature",)))))
put("naked-leg", OLD, running(gate=gate("orphan")))
put("unknown-order", OLD, running(gate=gate("frozen")))
put("not-trading", OLD, running(gate=gate("meditating")))
put("market-resolved", OLD, running(gate=gate("resolved")))
put("bot-stopping", OLD, running(gate=gate("stopping")))

# The gate
put("gate-unavailable", OLD, running(gate=gate(reachable=False)))
put("wallet-unknown", market(status=known(), **LIVE), running(gate=NOBODYS))
put("no-gate", OLD, running(gate=GateFacts(reachable=False)), WITHOUT_GATE)
put("wallet-halted", OLD, running(gate=halted(WALLET)))
put("market-halted", OLD, running(gate=halted(CONDITION_ID)))
put("new-pairs-stopped", OLD, running(gate=halted(DRAINING + CONDITION_ID)))
put("forgotten-mark", OLD, running(gate=marked()))

# Suspended
put("suspend", market(suspend=True, status=known()), running())
put("suspend-waits", market(suspend=True, status=draining(20)), running(gate=marked("ordering", open_intents=True)))
put("suspend-drained", market(suspend=True, status=draining(20)), running(gate=marked()))
put(
    "suspend-ending",
    market(suspend=True, status=draining(25)),
    running(deployment=deployment(replicas=0, ready=False), pods=(GOING,), gate=marked("stopping")),
)
put(
    "suspended-with-position",
    market(suspend=True, status=draining(30, **POSITION)),
    running(deployment=deployment(replicas=0, ready=False), pods=(), gate=marked(None)),
)
put(
    "suspended",
    market(suspend=True, status=known(phase=Phase.SUSPENDED)),
    running(deployment=deployment(replicas=0, ready=False), pods=(), gate=marked(None)),
)
put("resume", OLD, running(deployment=deployment(replicas=0, ready=False), pods=(), gate=marked(None)))
put("resume-in-time", market(status=draining(3)), running(gate=marked()))

# Over
put("closed-with-bot", OLD, running(resolution=ENDED))
put("closed-drained", market(status=draining(20)), running(resolution=ENDED, gate=marked("resolved")))
put("closed-done", market(status=draining(30, **POSITION)), without_bot(resolution=ENDED, gate=marked(None)))
put("closed", OLD, without_bot(resolution=ENDED))
put("duplicate-with-bot", OLD, running(duplicate_of="older-rain"))
put("live-bot-at-exchange", market(status=known(), **LIVE), running(config_problem="spec.mode=Live: no", desired_hash=""), AT_PAPER)
put("live-bot-at-exchange-drained", market(status=draining(20), **LIVE), running(gate=marked()), AT_PAPER)
put("paper-bot-without-exchange", market(mode="Paper", status=known()), running(gate=NOBODYS))

# Deleted
put("delete", market(deleting=True, status=known()), running())
put("delete-waits", market(deleting=True, status=draining(20)), running(gate=marked("orphan")))
put("delete-drained", market(deleting=True, status=draining(20)), running(gate=marked()))
put("delete-late", market(deleting=True, status=draining(61)), running(gate=marked("orphan", open_intents=True)))
put("delete-gate-away", market(deleting=True, status=known()), running(gate=gate(reachable=False)))
put("delete-not-running", market(deleting=True, status=known()), in_trouble(PodTrouble.EVICTED))
put("delete-frozen", market(deleting=True, paused=True, status=known()), running())
put("delete-duplicate", market(deleting=True, status=known()), running(duplicate_of="older-rain"))
put("delete-ending", market(deleting=True, status=draining(25)), without_bot(pods=(GOING,), gate=marked("stopping")))
put("delete-done", market(deleting=True, status=draining(30, **POSITION)), without_bot(gate=marked(None)))
put("delete-done-naked", market(deleting=True, status=draining(80, **NAKED)), without_bot(gate=marked(None)))
put("delete-done-gate-away", market(deleting=True, status=draining(30)), without_bot(gate=GateFacts(reachable=False)))
put("delete-given-up", market(deleting=True, status=draining(160)), without_bot(pods=(GOING,), gate=marked("stopping")))
put("delete-never-had-a-bot", market(deleting=True), without_bot(resolution=None))
put("delete-another-finalizer", market(deleting=True, finalizer=False, status=known()), without_bot())
row("delete-unreadable")(
    lambda: plan_unreadable(
        market(deleting=True).metadata, known(), ArbMarketError(PROBLEM), running(gate=GateFacts(reachable=False)), POLICY, NOW
    )
)
