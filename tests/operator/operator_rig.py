"""The operator as its users run it: a process with an environment, between a real API server, a paper exchange and a Valkey.

There are no nodes, so nothing runs the Pods: a test says what became of them, and reports to the gate in a bot's place.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.gate.redis_servers import Server, free_port
from tests.operator.venue_rig import scripted
from tests.support.paper import PaperServer, ScriptedBooks, paper_exchange_server

from kabobagool.clock import SystemClock
from kabobagool.gate.interface import GateUnreachableError
from kabobagool.gate.redis_link import RedisLink
from kabobagool.gate.redis_status import BotStatus, StatusBoard
from kabobagool.gate.redis_url import connect
from kabobagool.settings_wallet import DRY_RUN_WALLET

Body = dict[str, Any]
PATIENCE_S = 90.0
LOOK_S = 0.2
ANSWER_S = 30.0
REPORT_EVERY_S = 2.0
COMMAND = (sys.executable, "-m", "kabobagool_operator.cli", "run")
PAIRS = {"yes_shares": 12_000_000, "no_shares": 12_000_000, "locked_profit": 360_000}
"""What a bot reports that has bought twelve pairs."""
QUICK = {
    "CREATIONS_PER_SECOND": "50",
    "MAX_PENDING": "500",
    "STATUS_INTERVAL_S": "1",
    "ROLLOUT_CANARIES": "0",
    "ROLLOUT_MAX_UNAVAILABLE": "500",
    "DISCOVERY": "false",
    "FLEET_PORT": "0",
    "LEASE_S": "60",
    "RENEW_DEADLINE_S": "50",
    "RETRY_S": "0.5",
}
"""The operator's variables for tests, that wait for no canary, and lose no Lease when the machine stands still for some seconds."""
ELECTION = {"LEASE_S": "12", "RENEW_DEADLINE_S": "10"}
"""For tests that wait for the end of a Lease, which a machine that stands still for some seconds must not bring about either."""


class OperatorProcess:
    """One process. Its log is kept line by line, over its restarts."""

    def __init__(self, folder: Path, kubeconfig: Path, **variables: str) -> None:
        self.port = free_port()
        self.log = folder / f"operator-{self.port}.log"
        given = {"HEALTH_PORT": str(self.port), "IDENTITY": f"operator-{self.port}", **QUICK, **variables}
        own = {f"KABOBAGOOL_{name}": value for name, value in given.items()}
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig), **own}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(COMMAND, env=self.environment, stdout=log, stderr=log)

    def kill(self) -> None:
        """As a node that lost power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def send(self, sign: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(sign)

    async def ended(self) -> int:
        """Its exit status, once it has one."""
        process = self._process
        assert process is not None
        return await asyncio.wait_for(asyncio.to_thread(process.wait), PATIENCE_S)

    def terminate(self) -> None:
        """As Kubernetes begins to stop a Pod."""
        self.send(signal.SIGTERM)

    async def stop(self) -> int:
        """As Kubernetes stops a Pod; its exit status."""
        self.terminate()
        return await self.ended()

    def lines(self) -> list[Body]:
        """What it logged, as far as it is JSON."""
        if not self.log.exists():
            return []
        lines = self.log.read_text().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def said(self, message: str) -> list[Body]:
        return [line for line in self.lines() if line.get("message") == message]

    async def probe(self, path: str) -> tuple[int, str]:
        """Status and body of one of its pages; 0 when it does not answer."""
        return await asyncio.to_thread(self._get, path)

    def _get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=ANSWER_S) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as e:
            return e.code, e.read().decode()
        except OSError as e:
            return 0, str(e)


@dataclass
class World:
    """What surrounds the operators of one test, and the test's hands in it."""

    folder: Path
    kubeconfig: Path
    kubectl: Any
    namespace: str
    paper: PaperServer
    server: Server
    link: RedisLink
    board: StatusBoard
    operators: list[OperatorProcess] = field(default_factory=list)
    _saying: dict[str, Callable[[], Awaitable[None]]] = field(default_factory=dict)
    _speaking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def operator(self, *, kubeconfig: Path | None = None, **variables: str) -> OperatorProcess:
        """An operator that was not started yet."""
        urls = self.paper.urls
        own = {
            "NAMESPACE": self.namespace,
            "REDIS_URL": self.server.url,
            "GAMMA_URL": urls["gamma"],
            "CLOB_URL": urls["clob"],
            **variables,
        }
        self.operators.append(OperatorProcess(self.folder, kubeconfig or self.kubeconfig, **own))
        return self.operators[-1]

    async def running(self, **variables: str) -> OperatorProcess:
        """One that leads."""
        operator = self.operator(**variables)
        operator.start()
        await self.until(lambda: bool(operator.said("leading")), "it leads", operator)
        return operator

    async def ask(self, *arguments: str, stdin: str = "") -> str:
        """kubectl, while the venue in this process goes on."""
        return str(await asyncio.to_thread(lambda: self.kubectl(*arguments, stdin=stdin)))

    async def apply(self, *bodies: Body) -> None:
        """As with `kubectl apply`."""
        await self.ask("apply", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(bodies)}))

    async def patch(self, what: str, name: str, **changes: Any) -> None:
        """As with `kubectl patch --type=merge`."""
        await self.ask("patch", what, name, "--type=merge", "--patch", json.dumps(changes))

    async def objects(self, plural: str) -> dict[str, Body]:
        """All of a kind in the namespace, by name."""
        found = json.loads(await self.ask("get", plural, "--output", "json"))
        return {body["metadata"]["name"]: body for body in found["items"]}

    async def market(self, name: str) -> Body:
        """One ArbMarket, empty when there is none."""
        return (await self.objects("arbmarkets")).get(name, {})

    async def until_market(self, name: str, holds: Callable[[Body], bool], what: str, *, patience_s: float = PATIENCE_S) -> Body:
        """The ArbMarket once something holds of it. What its status does not say yet does not hold."""
        found: Body = {}

        async def look() -> bool:
            nonlocal found
            found = await self.market(name)
            with contextlib.suppress(KeyError):
                return bool(found) and holds(found)
            return False

        await self.until(look, f"{name}: {what}", lambda: found, patience_s=patience_s)
        return found

    async def until(self, holds: Callable[[], Any], what: str, *about: Any, patience_s: float = PATIENCE_S) -> None:
        """Look until it holds, which may have to be awaited."""
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    found = holds()
                    if await found if asyncio.iscoroutine(found) else found:
                        return
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            known = [str(thing() if callable(thing) else thing) for thing in about]
            logs = "\n".join(operator.log.read_text()[-6000:] for operator in self.operators if operator.log.exists())
            raise AssertionError(f"never: {what}\n" + "\n".join(known) + "\n" + logs) from None

    def list_market(self, slug: str) -> None:
        """The venue opens another market."""
        now_ms = self.paper.clock.now_ms()
        books = scripted(slug)
        self.paper.exchange._list(books.market(now_ms), books.snapshots(now_ms))

    def close_market(self, slug: str) -> None:
        """The venue ends a market."""
        found = self.paper.exchange.market(slug)
        assert found is not None
        self.paper.venue.close(found)

    def halts(self) -> set[str]:
        """The scopes that are halted at the dry runs' gate."""
        return {str(scope) for scope in self.server.admin.hkeys(self.link.keys.halts)}

    async def events(self, name: str) -> dict[str, str]:
        """The Events about an ArbMarket: reason and note."""
        found = (await self.objects("events.events.k8s.io")).values()
        return {event["reason"]: event["note"] for event in found if event["regarding"]["name"] == name}

    async def until_told(self, name: str, reason: str, words: str = "") -> str:
        """The note of the newest Event about an ArbMarket for this reason, once it says this: an Event comes after the status."""
        told: dict[str, str] = {}

        async def look() -> bool:
            told.clear()
            told.update(await self.events(name))
            return reason in told and words in told[reason]

        await self.until(look, f"{name}: {reason} is told, {words!r}", lambda: told)
        return told[reason]

    async def end_lease(self) -> None:
        """As if the time of a leader that was killed were over."""
        await self.patch("lease", "kabobagool-operator", spec={"holderIdentity": "", "leaseDurationSeconds": 1})

    def condition_id(self, slug: str) -> str:
        found = self.paper.exchange.market(slug)
        assert found is not None
        return found.condition_id

    async def reports(self, slug: str, holder: str, **said: Any) -> None:
        """A bot says this of itself."""
        given = {"mode": "dry_run", "phase": "watching", "feed_age_ms": 900, **said}
        await self.board.report(BotStatus(market=self.condition_id(slug), holder=holder, **given))

    async def bot_of(self, name: str, **spec: Any) -> str:
        """An ArbMarket that has its bot, which runs and owns pairs and goes on reporting that; the bot's name at the gate."""
        await self.apply(arb_market(name, **spec))
        return await self.bot_runs(name)

    async def bot_runs(self, name: str) -> str:
        """The same for an ArbMarket that is there."""
        holder = f"kabobagool@{await self.pod_is(name)}/1/abc"
        await self.goes_on_reporting(name, holder, **PAIRS, pair_cost=970_000)
        await self.until_market(name, lambda body: phase(body) == "Running" and "position" in body["status"], "runs")
        return holder

    async def goes_on_reporting(self, slug: str, holder: str, **said: Any) -> None:
        """A bot says this of itself, again and again, until it says something else or falls silent."""
        self._saying[slug] = partial(self.reports, slug, holder, **said)
        await self._speak(slug)

    def falls_silent(self, slug: str) -> None:
        """The bot says nothing more."""
        self._saying.pop(slug, None)

    async def repeat_reports(self) -> None:
        """What bots go on reporting, until cancelled."""
        while True:
            for slug in list(self._saying):
                with contextlib.suppress(GateUnreachableError):  # a test took the gate away, and may bring it back
                    await self._speak(slug)
            await asyncio.sleep(REPORT_EVERY_S)

    async def _speak(self, slug: str) -> None:
        """What a bot has to say now: one word after the other, so that none that is outdated comes last."""
        async with self._speaking:
            if (say := self._saying.get(slug)) is not None:
                await say()

    async def pod_is(self, name: str, *, ready: bool = True) -> str:
        """What the kubelet would say of the newest Pod of a market; its name."""
        await self.until(lambda: self._has_pod(name), f"{name} has a Pod")
        pods = [pod for pod in (await self.objects("pods")).values() if pod["metadata"]["labels"].get("app.kubernetes.io/instance") == name]
        pod = max(pods, key=lambda body: int(body["metadata"]["resourceVersion"]))["metadata"]["name"]
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(ready)}]}
        await self.ask("patch", "pod", pod, "--subresource=status", "--type=merge", "--patch", json.dumps({"status": status}))
        return str(pod)

    async def _has_pod(self, name: str) -> bool:
        pods = (await self.objects("pods")).values()
        return any(pod["metadata"]["labels"].get("app.kubernetes.io/instance") == name for pod in pods)


def arb_market(name: str, **spec: Any) -> Body:
    """An ArbMarket for the market whose slug is its name."""
    return {
        "apiVersion": "kabobagool.io/v1alpha1",
        "kind": "ArbMarket",
        "metadata": {"name": name},
        "spec": {"market": {"slug": name}, **spec},
    }


def conditions(market: Body) -> dict[str, str]:
    """Of each condition its status and reason, as `True/Found`."""
    return {found["type"]: f"{found['status']}/{found['reason']}" for found in market.get("status", {}).get("conditions", [])}


def phase(market: Body) -> str:
    return str(market.get("status", {}).get("phase", ""))


@contextlib.asynccontextmanager
async def world(folder: Path, control_plane: Any, namespace: str, *markets: str | ScriptedBooks) -> AsyncIterator[World]:
    """Around a paper exchange with these markets. The operators that a test started end with it."""
    server, clock = Server("valkey"), SystemClock()
    link = RedisLink(connect(server.url, timeout_s=5.0), wallet=DRY_RUN_WALLET, clock=clock, rng=random.Random(5))
    books = [scripted(market) if isinstance(market, str) else market for market in markets]
    async with paper_exchange_server(*books) as paper:
        around = World(
            folder=folder,
            kubeconfig=control_plane.kubeconfig,
            kubectl=control_plane.kubectl(namespace=namespace),
            namespace=namespace,
            paper=paper,
            server=server,
            link=link,
            board=StatusBoard(link, clock=clock),
        )
        reporting = asyncio.create_task(around.repeat_reports())
        try:
            yield around
        finally:
            reporting.cancel()
            for operator in around.operators:
                operator.kill()
            await link.close()
            server.close()


def world_with(*markets: str | ScriptedBooks) -> Any:
    """The fixture `at` of tests around a venue that lists these markets."""

    @pytest.fixture
    async def at(tmp_path: Path, control_plane: Any, controllers: None, namespace: str, installed_crds: None) -> AsyncIterator[World]:
        async with world(tmp_path, control_plane, namespace, *markets) as around:
            yield around

    return at
