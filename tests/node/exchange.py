"""The paper exchange inside the cluster, as the judge: its ledger says what was really bought, and whether anything was bought twice.

It is asked through the API server, so that the same works on any cluster. Amounts are millionths.
"""

from collections import defaultdict
from collections.abc import Iterable
from statistics import median_low
from typing import Any

from tests.node.api import Api, Body


class Exchange:
    """The exchange behind one Service."""

    def __init__(self, api: Api, namespace: str, service: str) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/services/{service}:8899/proxy"

    def state(self) -> Body:
        """Ledgers, orders, counters and faults at one moment."""
        state: Body = self._api.get(f"{self._path}/admin/state")
        return state

    def made_up(self) -> str:
        """The slug of the market that was never recorded, and which the tests leave to whoever applies it by hand."""
        return next(slug for slug in self.state()["counters"]["markets"] if slug.startswith("synthetic"))

    def markets(self) -> dict[str, Body]:
        """What the one wallet that trades holds and paid, by market; empty before the first trade."""
        return _of_the_wallet(self.state())

    def trades(self) -> int:
        """How many trades there were."""
        return sum(int(market["trades"]) for market in self.markets().values())

    def fault(self, kind: str, **fields: Any) -> None:
        """Something goes wrong from now on."""
        self._api.post(f"{self._path}/admin/faults", {"kind": kind, **fields})

    def end_faults(self) -> None:
        """Nothing goes wrong any more."""
        self._api.delete(f"{self._path}/admin/faults")

    def lost_replies(self) -> int:
        """How many orders were answered by a broken connection."""
        return int(self.state()["counters"]["faults_struck"].get("reply_dropped", 0))

    def nothing_was_bought_twice(self) -> None:
        """The books balance, every order is another one, and no leg was ever followed by itself."""
        state = self.state()
        assert state["ledger_check"] == "ok", state["ledger_check"]
        hashes = [order["order_hash"] for order in state["orders"]]
        assert len(hashes) == len(set(hashes))
        assert not (twice := orders_that_follow_themselves(state["orders"])), f"bought twice: {twice}"


def orders_that_follow_themselves(orders: Iterable[Body]) -> dict[str, list[Body]]:
    """Markets, with their filled orders, in which a leg was sent again after it had filled.

    Such a market has had, for a moment at least, about twice as many shares without a partner as its usual order has.
    """
    filled = _filled_by_market(orders)
    usual = {market: median_low(_shares(order) for order in found) for market, found in filled.items()}
    return {market: found for market, found in filled.items() if 2 * _worst_imbalance(found) > 3 * usual[market]}


def _of_the_wallet(state: Body) -> dict[str, Body]:
    wallets = [ledger for ledger in state["ledgers"].values() if ledger["markets"]]
    assert len(wallets) <= 1, "more than the play wallet trades"
    return dict(wallets[0]["markets"]) if wallets else {}


def _filled_by_market(orders: Iterable[Body]) -> dict[str, list[Body]]:
    found: dict[str, list[Body]] = defaultdict(list)
    for order in sorted(orders, key=lambda order: int(order["received_ms"])):
        if _shares(order) > 0:
            found[str(order["condition_id"])].append(order)
    return found


def _shares(order: Body) -> int:
    """What changed hands: a BUY takes shares, a SELL makes them."""
    return int(order["taking"] if order["side"] == "BUY" else order["making"])


def _worst_imbalance(orders: Iterable[Body]) -> int:
    """The most shares of one outcome beyond the other's, at any moment."""
    imbalance = worst = 0
    for order in orders:
        toward_yes = (order["outcome"] == 0) == (order["side"] == "BUY")
        imbalance += _shares(order) if toward_yes else -_shares(order)
        worst = max(worst, abs(imbalance))
    return worst
