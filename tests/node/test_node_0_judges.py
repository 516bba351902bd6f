"""The judges of the later tests can say no: a leg bought twice, a wait in vain, a step that failed. No cluster is needed."""

from typing import Any

import pytest
from tests.cluster.processes import free_port
from tests.node.api import Api
from tests.node.exchange import orders_that_follow_themselves
from tests.node.patience import NeverError, until
from tests.node.steps import Steps

TEN = 10_000_000


def order(at_ms: int, outcome: int, *, side: str = "BUY", shares: int = TEN, market: str = "0x1") -> dict[str, Any]:
    """An order as the exchange's administrator sees it; one of no shares was killed."""
    dollars = shares // 2
    making, taking = (dollars, shares) if side == "BUY" else (shares, dollars)
    return {"received_ms": at_ms, "outcome": outcome, "side": side, "making": making, "taking": taking, "condition_id": market}


@pytest.mark.parametrize(
    "orders",
    [
        [order(1, 0), order(2, 1)],
        [order(1, 0), order(2, 1), order(3, 1), order(4, 0)],
        [order(1, 0), order(2, 1, shares=0), order(3, 1, shares=0), order(4, 0, side="SELL")],
        [order(1, 0), order(2, 0, market="0x2"), order(3, 1), order(4, 1, market="0x2")],
    ],
    ids=["a pair", "two pairs", "a leg without a partner is sold", "two markets"],
)
def test_trading_in_pairs_is_nothing_bought_twice(orders: list[dict[str, Any]]) -> None:
    assert orders_that_follow_themselves(orders) == {}


def test_a_leg_that_is_sent_again_after_it_filled_is_seen_even_when_it_is_hedged_later() -> None:
    twice = [order(1, 0), order(2, 0), order(3, 1, shares=2 * TEN)]
    assert list(orders_that_follow_themselves(twice)) == ["0x1"]


def test_waiting_in_vain_says_what_was_seen_last() -> None:
    with pytest.raises(NeverError, match="never in 0 s: it is 3; seen last: 2"):
        until("it is 3", lambda: 2, lambda seen: seen == 3, patience_s=0)


def test_a_cluster_that_does_not_answer_is_waited_for() -> None:
    api = Api(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NeverError, match="ConnectionError: GET /version"):
        until("it answers", lambda: api.get("/version"), patience_s=0)


def test_a_step_that_fails_is_in_the_table_as_failed() -> None:
    steps = Steps()
    with pytest.raises(ZeroDivisionError), steps.timed("divides"):
        raise ZeroDivisionError
    assert steps.lines()[0].split() == ["divides", "failed"]
