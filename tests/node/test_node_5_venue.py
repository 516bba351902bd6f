"""Faults of the venue: it stands still, its sockets are silent, its replies are lost. Nothing is bought on old prices, nothing twice."""

from tests.node.faults import Fault, said
from tests.node.fleet import Fleet
from tests.node.machine import Node
from tests.node.patience import until
from tests.node.release import NAMESPACE

LONG_MS = 3_600_000
LOST = 6


def test_a_venue_that_stands_still_stops_the_trading_and_nothing_else(fleet: Fleet, own_node: Node, fault: Fault) -> None:
    (pod,) = fleet.objects("pods", "app.kubernetes.io/component=paper")
    container = own_node.container(NAMESPACE, pod, "paper")
    with fault("the paper exchange stands still") as step:
        own_node.ctr("tasks", "pause", container)
        try:
            said(step, fleet.until_condition("MarketDataFresh", "Stale"))
        finally:
            own_node.ctr("tasks", "resume", container)


def test_sockets_that_fall_silent_are_noticed_and_replaced(fleet: Fleet, fault: Fault) -> None:
    with fault("the exchange's sockets freeze") as step:
        fleet.exchange.fault("silent_freeze", for_ms=LONG_MS)
        try:
            said(step, fleet.until_condition("MarketDataFresh", "Stale"))
        finally:
            fleet.exchange.end_faults()


def test_orders_whose_replies_are_lost_are_looked_up_and_never_sent_again(fleet: Fleet, fault: Fault) -> None:
    with fault("replies to orders are lost") as step:
        fleet.exchange.fault("reply_dropped", filled=True, count=LOST)
        until("replies were lost", lambda: LOST - fleet.exchange.lost_replies(), lambda left: left <= 0)
        step.note(f"{LOST} orders filled and nobody was told")
