"""Looks into a cluster many times a second, without a kubectl for each of them: one `kubectl proxy`, asked over plain HTTP.

`conftest.py` opens it; `fleet.py` and `exchange.py` look through it. To compare six bots with the exchange's ledger takes twenty looks, and
every kubectl a fifth of a second of the processors on which the fleet is to start. What users type is still typed.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from tests.cluster.kubectl import command
from tests.cluster.processes import ServerProcess, free_port
from tests.node.patience import until

Body = dict[str, Any]
PATIENCE_S = 20.0
KINDS = {
    "arbmarkets": "/apis/kabobagool.io/v1alpha1",
    "deployments": "/apis/apps/v1",
    "leases": "/apis/coordination.k8s.io/v1",
    "pods": "/api/v1",
}
"""Where the API server has the kinds that we look at."""


class Api:
    """The API server as the administrator sees it. AssertionError when it refuses, ConnectionError while it does not answer."""

    def __init__(self, address: str) -> None:
        self._client = httpx.Client(base_url=address, timeout=PATIENCE_S, trust_env=False)

    def get(self, path: str, **query: str) -> Any:
        """What is at a path, such as /readyz/ping or that of a Service's proxy."""
        return self._ask("GET", path, params=query).json()

    def text(self, path: str) -> str:
        """The same where it is no JSON."""
        return self._ask("GET", path).text

    def post(self, path: str, body: Body) -> None:
        """Send it there."""
        self._ask("POST", path, json=body)

    def delete(self, path: str) -> None:
        """Take it away."""
        self._ask("DELETE", path)

    def objects(self, kind: str, namespace: str, selector: str = "") -> dict[str, Body]:
        """Objects of a kind in a namespace, by name."""
        items = self.get(f"{KINDS[kind]}/namespaces/{namespace}/{kind}", labelSelector=selector)["items"]
        return {body["metadata"]["name"]: body for body in items}

    def _ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise ConnectionError(f"{method} {path}: {type(error).__name__}: {error}") from error
        assert answer.is_success, f"{method} {path}: {answer.status_code}: {answer.text[:500]}"
        return answer


@contextmanager
def open_api(kubeconfig: Path) -> Iterator[Api]:
    """The cluster of this kubeconfig while the block lasts, whatever its way of logging in."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        options = [f"--kubeconfig={kubeconfig}", "proxy", f"--port={port}"]
        proxy = ServerProcess([*command(), *options], Path(folder, "proxy.log"))
        proxy.start()
        try:
            api = Api(f"http://127.0.0.1:{port}")
            until("kubectl proxy answers", lambda: api.get("/version"))
            yield api
        finally:
            proxy.kill()
