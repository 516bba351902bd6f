"""A fleet that Prometheus is to find: Pods that the API server knows, real bots and a real operator behind them as processes.

No kubelet runs the Pods of the chart and of the operator's Deployments, so the test does in its place what others see of one.
An address of a Pod leads nowhere; the chart's values say which address of this machine is read for it, which is what relabelings are for.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.cluster.processes import ServerProcess, free_port
from tests.operator.operator_rig import World

Body = dict[str, Any]
NODE = "here"
FIRST = "10.77.0"
PLACES = 4
"""So many Pods can be given an address."""


class Addresses:
    """Addresses for Pods, and the port of this machine that stands behind each."""

    def __init__(self) -> None:
        self.ports = {f"{FIRST}.{number}": free_port() for number in range(1, PLACES + 1)}
        self._free = list(self.ports)

    def take(self, *, port: int | None = None) -> str:
        """An address that no Pod has yet."""
        address = self._free.pop(0)
        if port is not None:
            self.ports[address] = port
        return address

    def relabelings(self) -> list[Body]:
        """What a person writes into the chart's values who reads metrics by another way than the Pods' own addresses."""
        return [
            {
                "sourceLabels": ["__address__"],
                "regex": f"{address}:.*".replace(".", r"\.", 3),
                "targetLabel": "__address__",
                "replacement": f"127.0.0.1:{port}",
            }
            for address, port in self.ports.items()
        ]


class WatchedFleet:
    """The Pods of a world, with processes behind those that the test calls."""

    def __init__(self, world: World, addresses: Addresses) -> None:
        self.world = world
        self.addresses = addresses
        self.bots: dict[str, ServerProcess] = {}

    async def operator_pod(self, address: str) -> None:
        """The chart's Pod of the operator is the process that listens behind this address."""
        self.world.kubectl.apply("v1", "Node", NODE)
        await self._runs("app.kubernetes.io/component=operator", address)

    async def bot_starts(self, market: str) -> None:
        """The Pod of a market runs: its process starts with the configuration that the operator wrote, and has an address."""
        address = self.addresses.take()
        pod = await self._runs(_of_market(market), address)
        (source,) = pod["spec"]["containers"][0]["envFrom"]
        config_map = json.loads(await self.world.ask("get", "configmap", source["configMapRef"]["name"], "--output=json"))
        own = {
            "HEALTH_CHECK_HOST": "127.0.0.1",
            "HEALTH_CHECK_PORT": str(self.addresses.ports[address]),
            "JOURNAL_PATH": str(self.world.folder / f"{market}.sqlite"),
            "REDIS_URL": self.world.server.url,
        }
        environment = {"PATH": os.environ["PATH"], **config_map["data"], **own}
        command = ["env", "-i", *(f"{name}={value}" for name, value in environment.items()), *_command(pod)]
        self.bots[market] = ServerProcess(command, self.world.folder / f"{market}.log")
        self.bots[market].start()

    async def bot_ends(self, market: str) -> None:
        """A Pod that is being deleted has ended, and is gone."""
        selector = _of_market(market)
        await self.world.until(lambda: self._is_deleted(selector), f"somebody deletes the Pod of {market}")
        self.bots.pop(market).kill()
        await self.world.ask("delete", "pods", "--selector", selector, "--grace-period=0", "--force")

    def close(self) -> None:
        """No process is left."""
        for bot in self.bots.values():
            bot.kill()

    async def _runs(self, selector: str, address: str) -> Body:
        """Bring a Pod to a node, and say of it what the kubelet there would; the Pod."""
        await self.world.until(lambda: self._pods(selector), f"a Pod with {selector}")
        pod = (await self._pods(selector))[0]
        name = pod["metadata"]["name"]
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        await self.world.ask("create", "--filename", "-", stdin=json.dumps(binding))
        running = {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [{"type": "Ready", "status": "True"}]}
        await self.world.ask("patch", "pod", name, "--subresource=status", "--type=merge", "--patch", json.dumps({"status": running}))
        return pod

    async def _pods(self, selector: str) -> list[Body]:
        found: list[Body] = json.loads(await self.world.ask("get", "pods", "--selector", selector, "--output=json"))["items"]
        return found

    async def _is_deleted(self, selector: str) -> bool:
        return any("deletionTimestamp" in pod["metadata"] for pod in await self._pods(selector))


def _of_market(market: str) -> str:
    return f"app.kubernetes.io/instance={market},app.kubernetes.io/component=bot"


def _command(pod: Body) -> list[str]:
    program, *arguments = pod["spec"]["containers"][0]["command"]
    return [str(Path(sys.executable).with_name(program)), *arguments]
