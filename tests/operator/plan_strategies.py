"""Any situation a market may be in, likely or not, for the property tests of the plan and the status."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from tests.operator.plan_cases import FACTS, HOLDER, LIVE, NOW, OWN_MARK, POD, STRANGER, market

from kabobagool.engine.market_engine import EngineState
from kabobagool.gate.interface import DRAINING, WALLET, Halt
from kabobagool.gate.redis_status import BotStatus
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_status import Condition, DeploymentFacts, DrainFacts, Phase, PositionFacts, Status
from kabobagool_operator.conditions import Reason, Truth
from kabobagool_operator.facts import BotDeployment, GateFacts, Observed, PodFacts, PodTrouble, Resolved, Slots, Unresolved

HASHES = st.sampled_from(("h1", "h2"))
AGES_S = st.floats(0, 10_000, allow_nan=False)
TEXTS = st.sampled_from(("", "the server said: no", "x" * 2_000))
HOLDERS = st.sampled_from((HOLDER, STRANGER, f"1000@{POD[:-1]}c/1/ab", "", "@", "nonsense/@/"))
MICROS = st.integers(-(10**12), 10**12)
AMOUNTS = st.integers(0, 10**12)
SCOPES = (WALLET, DRAINING + WALLET, FACTS.condition_id, DRAINING + FACTS.condition_id)

reports = st.builds(
    BotStatus,
    market=st.just(FACTS.condition_id),
    holder=HOLDERS,
    mode=st.sampled_from(("live", "dry_run", "other")),
    phase=st.sampled_from((*EngineState, "meditating", "")),
    yes_shares=AMOUNTS,
    no_shares=AMOUNTS,
    pair_cost=st.none() | AMOUNTS,
    locked_profit=MICROS,
    feed_age_ms=st.none() | st.integers(0, 10**7),
    last_fill_ms=st.none() | st.integers(0, 10**13),
    reasons=st.sampled_from(((), ("not reconciled",))),
)
halts = st.one_of(
    st.just(OWN_MARK), st.builds(Halt, scope=st.sampled_from(SCOPES), who=st.just("anna"), why=TEXTS, since_ms=st.integers(0, 10**13))
)
gates = st.builds(
    GateFacts,
    reachable=st.booleans(),
    wallet_known=st.booleans(),
    report=st.none() | reports,
    report_age_s=st.none() | st.floats(-5, 60, allow_nan=False),
    lease_holder=st.none() | HOLDERS,
    lease_number=st.none() | st.integers(1, 99),
    halts=st.lists(halts, max_size=3).map(tuple),
    open_intents=st.sampled_from((None, True, False)),
)
pods = st.builds(
    PodFacts,
    name=st.sampled_from((POD, "rain-5d8f7c9b6-bbbbb")),
    ready=st.booleans(),
    age_s=AGES_S,
    config_hash=HASHES,
    trouble=st.none() | st.sampled_from(PodTrouble),
    message=TEXTS,
    ending=st.booleans(),
)
deployments = st.builds(
    BotDeployment,
    name=st.just("rain"),
    uid=st.just("2"),
    config_hash=HASHES,
    replicas=st.sampled_from((0, 1, 1, 3)),
    ready=st.booleans(),
    drifted=st.booleans(),
    deleting=st.booleans(),
    image=st.sampled_from(("", "bot:1")),
    quota_message=TEXTS,
)
doubts = st.builds(
    Unresolved,
    reason=st.sampled_from(
        (Reason.NOT_FOUND, Reason.AMBIGUOUS, Reason.UNSUPPORTED, Reason.NOT_TRADABLE, Reason.VENUE_UNAVAILABLE, Reason.NOT_TRIED)
    ),
    message=TEXTS,
    facts=st.none() | st.just(FACTS),
)
"""The venue does not list the market, or cannot be asked, and it has not ended."""
ENDS = st.just(Unresolved(reason=Reason.CLOSED, message="it ended", ended=True, facts=FACTS))
FOUND = st.just(Resolved(FACTS))


def observations(**fixed: st.SearchStrategy[Any]) -> st.SearchStrategy[Observed]:
    """Anything that may be observed; `fixed` are parts that are drawn otherwise."""
    parts: dict[str, st.SearchStrategy[Any]] = {
        "resolution": st.none() | FOUND | doubts | ENDS,
        "deployment": st.none() | deployments,
        "pods": st.lists(pods, max_size=3).map(tuple),
        "gate": gates,
        "slots": st.builds(Slots, may_create=st.booleans(), may_roll=st.booleans(), stopped=st.none() | TEXTS),
        "duplicate_of": st.none() | st.just("older-rain"),
        "apply_refused": st.none() | TEXTS,
        "refused_by_quota": st.booleans(),
        "config_problem": st.none() | TEXTS,
        "desired_hash": st.sampled_from(("", "h1", "h2")),
    }
    return st.builds(Observed, **{**parts, **fixed})


amounts = st.sampled_from((None, "0", "12.5", "-3.25", "none", "1e9"))


@st.composite
def statuses(draw: st.DrawFn) -> Status:
    """What this or another version of the operator may have written, or somebody by hand."""
    started = NOW - timedelta(seconds=draw(st.integers(-100, 10_000)))
    reasons = draw(st.sampled_from((*(reason.value for reason in Reason), "OfALaterVersion")))
    resolved = Condition(
        type="Resolved", status=draw(st.sampled_from([*Truth])).value, reason=reasons, message=draw(TEXTS), last_transition_time=NOW
    )
    position = PositionFacts(yes_shares=draw(amounts) or "0", no_shares=draw(amounts) or "0", summary="0/0")
    return Status(
        phase=draw(st.none() | st.sampled_from(Phase)),
        conditions=draw(st.sampled_from(((), (resolved,)))),
        market=draw(st.sampled_from((None, FACTS))),
        position=draw(st.sampled_from((None, position))),
        locked_profit=draw(amounts),
        deployment=draw(st.sampled_from((None, DeploymentFacts(name="rain", config_hash="h1", image="bot:1")))),
        drain=draw(st.sampled_from((None, DrainFacts(started_at=started, deadline=started + timedelta(seconds=60))))),
    )


@st.composite
def markets(draw: st.DrawFn, **fixed: Any) -> ArbMarket:
    """ArbMarkets of any kind; `fixed` is what is the same in all of them."""
    asked: dict[str, Any] = {
        "deleting": draw(st.booleans()),
        "finalizer": draw(st.booleans()),
        "paused": draw(st.booleans()),
        "status": draw(statuses()),
        "suspend": draw(st.booleans()),
        **draw(st.sampled_from(({}, {"mode": "Paper"}, LIVE))),
        "drainTimeoutSeconds": draw(st.sampled_from((5, 60, 3600))),
    }
    return market(**{**asked, **fixed})
