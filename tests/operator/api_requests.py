"""Plain requests to the API server, for tests that ask it hundreds of things or want an answer that kubectl does not show."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from tests.operator.arbmarket_bodies import Body

PATIENCE_S = 60.0
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def arbmarkets(namespace: str) -> str:
    """Where a namespace's ArbMarkets are."""
    return f"/apis/kabobagool.io/v1alpha1/namespaces/{namespace}/arbmarkets"


@contextmanager
def api_requests(kubeconfig: Path) -> Iterator[httpx.Client]:
    """A client of whoever the kubeconfig is for; paths begin at the API server."""
    found = Configuration()
    asyncio.run(config.load_kube_config(config_file=str(kubeconfig), client_configuration=found, persist_config=False))
    trust = ssl.create_default_context(cafile=found.ssl_ca_cert)
    if found.cert_file:
        trust.load_cert_chain(found.cert_file, found.key_file)
    token = found.api_key.get("BearerToken")
    headers = {"Authorization": token} if token else {}
    with httpx.Client(base_url=found.host, headers=headers, verify=trust, timeout=PATIENCE_S, trust_env=False) as client:
        yield client


def objection(client: httpx.Client, body: Body, namespace: str = "default") -> str | None:
    """What the API server has against creating this ArbMarket, None when it would; nothing is created. An unknown field counts."""
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    answer = client.post(arbmarkets(namespace), params=query, json=body)
    assert answer.status_code in (httpx.codes.CREATED, httpx.codes.BAD_REQUEST, httpx.codes.UNPROCESSABLE_ENTITY), answer.text
    return None if answer.is_success else str(answer.json()["message"])


def table(client: httpx.Client, namespace: str) -> list[dict[str, Any]]:
    """The namespace's ArbMarkets as `kubectl get -o wide` shows them: {column: cell} of each; the narrow columns come first."""
    shown = client.get(arbmarkets(namespace), headers={"Accept": TABLE}).raise_for_status().json()
    columns = [column["name"] for column in shown["columnDefinitions"]]
    return [dict(zip(columns, row["cells"], strict=True)) for row in shown["rows"]]
