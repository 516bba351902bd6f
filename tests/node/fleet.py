"""An installed release as its user sees it: ArbMarkets with their conditions, bots with their own records, and the exchange's ledger.

`converged` is what every fault of these tests must end in; `agrees` compares every bot with the exchange to the micro-dollar.
"""

from decimal import Decimal

from tests.cluster.kubectl import Kubectl
from tests.node.api import Api, Body
from tests.node.exchange import Exchange
from tests.node.patience import PATIENCE_S, until

BOTS = "app.kubernetes.io/component=bot,app.kubernetes.io/managed-by=kabobagool"
MICRO = 1_000_000
UNDER_WAY = 100 * MICRO
"""Some pairs of the test's size: bots trade on while one looks."""


class Fleet:
    """One release in one namespace."""

    def __init__(self, kubectl: Kubectl, api: Api, namespace: str, release: str) -> None:
        self.kubectl = kubectl
        self.api = api
        self.namespace = namespace
        self.release = release
        self.exchange = Exchange(api, namespace, f"{release}-paper")

    def markets(self) -> dict[str, Body]:
        """ArbMarkets by name."""
        return self.objects("arbmarkets")

    def objects(self, kind: str, selector: str = "") -> dict[str, Body]:
        """Objects of a kind in the namespace, by name."""
        return self.api.objects(kind, self.namespace, selector)

    def bots(self) -> dict[str, Body]:
        """Pods of bots that are not about to end, by ArbMarket."""
        alive = [pod for pod in self.objects("pods", BOTS).values() if "deletionTimestamp" not in pod["metadata"]]
        return {pod["metadata"]["labels"]["app.kubernetes.io/instance"]: pod for pod in alive}

    def says(self, pod: str, path: str = "/status") -> Body:
        """What a bot says of itself."""
        found: Body = self.api.get(f"/api/v1/namespaces/{self.namespace}/pods/{pod}:8080/proxy{path}")
        return found

    def leader(self) -> str:
        """The operator's Pod that works; a Pod that was started anew is another leader to the Lease, and the same to us."""
        return str(self.objects("leases")["kabobagool-operator"]["spec"]["holderIdentity"]).partition("_")[0]

    def has_condition(self, type_: str, reason: str, *, market: str = "", status: str = "") -> str:
        """The message of an ArbMarket (of one, or of any) that has it; empty when none has."""
        for name, body in self.markets().items():
            for condition in body.get("status", {}).get("conditions", []) if market in ("", name) else []:
                if condition["type"] == type_ and condition["reason"] == reason and status in ("", condition["status"]):
                    return str(condition["message"] or reason)
        return ""

    def until_condition(self, type_: str, reason: str, *, market: str = "", patience_s: float = PATIENCE_S) -> str:
        """Wait until it is said; the message for people."""
        return until(f"{type_} says {reason}", lambda: self.has_condition(type_, reason, market=market), patience_s=patience_s)

    def converged(self, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until every Pod is ready, and every market runs, is not degraded, and is traded."""
        until("every market runs", self._unwell, lambda unwell: not unwell, patience_s=patience_s)

    def rolled_out(self, what: str) -> None:
        """Wait until a Deployment or StatefulSet, written as kubectl wants it, is as its template says and ready."""
        until(f"{what} is rolled out", lambda: self.kubectl("rollout", "status", what, "--timeout=60s"))

    def complaints(self) -> list[str]:
        """What ArbMarkets say that is not as it should be, a line for each."""
        found = ((name, condition) for name, body in self.markets().items() for condition in body.get("status", {}).get("conditions", []))
        return [f"{name}: {said['type']}={said['status']}/{said['reason']}: {said['message']}" for name, said in found if _is_bad(said)]

    def agrees(self, *, patience_s: float = PATIENCE_S) -> dict[str, Body]:
        """Wait until every bot's own record is what the exchange's ledger says; what both say, by market.

        A bot may be between an order and its answer at any one look, and never for long.
        """
        agreed: dict[str, Body] = {}
        until("bots and ledger agree", lambda: self._differences(agreed), lambda differ: not differ, patience_s=patience_s)
        return agreed

    def gate_agrees(self, *, patience_s: float = PATIENCE_S) -> None:
        """Wait until the gate counts what all markets have at stake as the exchange's ledger does, but for what is under way just now."""
        until("gate and ledger agree", self._miscounted, lambda seen: abs(seen) <= UNDER_WAY, patience_s=patience_s)

    def trades_again(self, *, patience_s: float = PATIENCE_S) -> None:
        """Wait for one more trade than there is now."""
        before = self.exchange.trades()
        until(f"more than {before} trades", self.exchange.trades, lambda now: now > before, patience_s=patience_s)

    def _unwell(self) -> list[str]:
        markets, bots = self.markets(), self.bots()
        unwell = [f"{name}: {_phase(body)}" for name, body in markets.items() if _phase(body) != "Running"]
        unwell += [f"{name}: not ready" for name, pod in self.objects("pods").items() if not is_ready(pod)]
        unwell += [f"{name}: no bot" for name in markets if name not in bots]
        unwell += [f"{name}: not fresh" for name, body in markets.items() if _condition(body, "MarketDataFresh") != "True"]
        unwell += [f"{name}: not trading" for name, body in markets.items() if _condition(body, "Trading") != "True"]
        return unwell or ([] if markets else ["there is no market"])

    def _miscounted(self) -> int:
        """Micro-dollars that the gate, as the bot that differs most last heard it, counts too many."""
        heard = [round(float(self._metric(pod, "kabobagool_gate_at_stake_dollars")) * MICRO) for pod in self.bots().values()]
        spent = sum(self._entry(name)["spent"] for name in self.markets())
        return max((here - spent for here in heard), key=abs)

    def _metric(self, pod: Body, name: str) -> str:
        """KeyError while the bot does not know it."""
        text = self.api.text(f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}:8080/proxy/metrics")
        return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))[name]

    def _differences(self, agreed: dict[str, Body]) -> list[str]:
        """Markets that did not agree in this call nor in an earlier one."""
        for name, pod in self.bots().items():
            if name not in agreed:
                own, ledger = self._record(pod), self._entry(name)
                if own == ledger:
                    agreed[name] = own
        missing = [name for name in self.markets() if name not in agreed]
        return [f"{name}: the bot says {self._said(name)}, the ledger {self._entry(name)}" for name in missing]

    def _said(self, market: str) -> Body | None:
        pod = self.bots().get(market)
        return None if pod is None else self._record(pod)

    def _record(self, pod: Body) -> Body:
        position = self.says(pod["metadata"]["name"])["position"]
        named = {"yes": "shares_yes", "no": "shares_no", "spent": "spent", "fees": "fees"}
        return {ours: int(Decimal(position[theirs]) * MICRO) for ours, theirs in named.items()}

    def _entry(self, market: str) -> Body:
        """The exchange knows a market by its slug; `spent` includes fees."""
        slug = self.markets()[market]["status"]["market"]["slug"]
        entry = self.exchange.markets().get(slug)
        if entry is None:
            return {"yes": 0, "no": 0, "spent": 0, "fees": 0}
        yes, no = entry["shares"]
        return {"yes": yes, "no": no, "spent": entry["net_dollars"] + entry["fees"], "fees": entry["fees"]}


def _phase(market: Body) -> str:
    return str(market.get("status", {}).get("phase", "nothing said yet"))


def is_ready(pod: Body) -> bool:
    """Or never will be again, as that of a finished Job."""
    ready = {said["type"]: said["status"] for said in pod["status"].get("conditions", [])}.get("Ready")
    return ready == "True" or pod["status"].get("phase") == "Succeeded"


def _is_bad(condition: Body) -> bool:
    return (condition["status"] == "True") == (condition["type"] in ("Degraded", "Paused"))


def _condition(market: Body, type_: str) -> str:
    found = [condition["status"] for condition in market.get("status", {}).get("conditions", []) if condition["type"] == type_]
    return found[0] if found else ""
