"""The edge truth adds up: in any storm of views every edge seen is acted on, rejected for one reason, or waits to be decided."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.support.engine_rig import Reply, engine_rig, fill

from kabobagool.domain.edge import Reason
from kabobagool.domain.outcome import Killed, Rejected, Rejection, Unknown
from kabobagool.engine.edge_truth import EdgeTruth

ASKS = ["0.40", "0.45", "0.47", "0.50", "0.56"]
SHOW = st.tuples(st.just("show"), st.sampled_from(ASKS), st.sampled_from(ASKS))
PASS = st.tuples(st.just("pass"), st.sampled_from([0.0, 0.01, 0.1, 0.7, 3.0]), st.none())
STORMS = st.lists(st.one_of(SHOW, SHOW, SHOW, PASS), min_size=5, max_size=60)
REPLIES = st.lists(
    st.sampled_from([fill, fill, Killed(), Unknown(), Rejected(Rejection.RATE_LIMITED, "429", 1.0), Rejected(Rejection.BALANCE, "no")]),
    max_size=8,
)


async def weather(folder: Path, storm: list[tuple[str, object, object]], replies: list[Reply], latency_s: float, interval_us: int) -> None:
    """Frames arrive faster than orders are answered."""
    async with engine_rig(folder, interval_us=interval_us) as rig:
        rig.execution.replies.extend(replies)
        rig.execution.latency_s = latency_s
        rig.execution.otherwise_found = Killed("never arrived")
        for kind, first, second in storm:
            if kind == "show":
                rig.show_now(str(first), str(second))
            else:
                await rig.clock.advance(float(str(first)))
            assert rig.unaccounted() == 0
        await rig.clock.advance(120)
        truth = rig.strategy.truth
        assert not rig.strategy.pending
        assert truth.seen == truth.acted_on + sum(truth.rejected.values())
        assert rig.execution.most_on_their_way <= 1
        assert set(rig.execution.submits.values()) <= {1}
        assert set(truth.rejected) <= {reason.value for reason in Reason}
        intents = await rig.journal.intents(rig.view.market.condition_id, 0)
        left = [intent for intent in intents if intent.purpose == "pair" and any(order.text != "not sent" for order in intent.orders)]
        assert truth.acted_on == len(left)


@settings(max_examples=40, deadline=None, derandomize=True, phases=(Phase.generate,))
@given(storm=STORMS, replies=REPLIES, latency_s=st.sampled_from([0.0, 0.05, 1.5]), interval_us=st.sampled_from([0, 100_000, 400_000]))
def test_one_decision_is_in_flight_at_a_time_and_no_edge_is_lost(
    storm: list[tuple[str, object, object]], replies: list[Reply], latency_s: float, interval_us: int
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(weather(Path(folder), storm, replies, latency_s, interval_us))


def test_the_truth_counts_reasons_by_the_word_everybody_uses() -> None:
    truth = EdgeTruth()
    truth.seen = 3
    truth.acted_on = 1
    truth.reject(Reason.VIEW_MOVED)
    truth.reject("view_moved")
    truth.reject(Reason.COOLDOWN)
    assert truth.as_mapping() == {"seen": 3, "acted_on": 1, "rejected": {"cooldown": 1, "view_moved": 2}}


@given(st.lists(st.sampled_from(list(Reason))))
def test_the_truth_loses_no_rejection_and_tells_them_in_one_order(reasons: list[Reason]) -> None:
    truth = EdgeTruth()
    for reason in reasons:
        truth.reject(reason)
    rejected = truth.as_mapping()["rejected"]
    assert isinstance(rejected, dict)
    assert sum(rejected.values()) == len(reasons)
    assert list(rejected) == sorted(rejected)
    assert all(type(word) is str for word in rejected)
