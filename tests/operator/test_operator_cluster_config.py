"""How the operator finds its API server, as a Pod and on a desk, and what it says when it cannot."""

import asyncio
from pathlib import Path

import pytest
import yaml
from kubernetes.aio.client.configuration import Configuration

from kabobagool_operator.cluster_config import ClusterConfigError, load_configuration

POD = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}


@pytest.fixture
def account(tmp_path: Path) -> Path:
    (tmp_path / "token").write_text("pod-token")
    (tmp_path / "ca.crt").write_text("a certificate")
    return tmp_path


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    def context(name: str) -> dict[str, object]:
        return {"name": name, "context": {"cluster": name, "user": "me"}}

    clusters = [{"name": name, "cluster": {"server": f"https://{name}.example:6443"}} for name in ("home", "work")]
    user = {"name": "me", "user": {"token": "my-token"}}
    file = tmp_path / "kubeconfig"
    file.write_text(
        yaml.safe_dump({"clusters": clusters, "contexts": [context("home"), context("work")], "users": [user], "current-context": "home"})
    )
    return file


async def token_of(configuration: Configuration) -> str:
    return str((await configuration.auth_settings())["BearerToken"]["value"])


async def test_a_pod_uses_its_service_account(account: Path) -> None:
    configuration = await load_configuration(environ=POD, service_account=account)
    assert configuration.host == "https://10.96.0.1:443"
    assert configuration.ssl_ca_cert == str(account / "ca.crt")
    assert await token_of(configuration) == "bearer pod-token"


async def test_a_kubeconfig_that_is_named_comes_before_the_pods_own(account: Path, kubeconfig: Path) -> None:
    configuration = await load_configuration(kubeconfig=kubeconfig, context="work", environ=POD, service_account=account)
    assert configuration.host == "https://work.example:6443"
    assert await token_of(configuration) == "Bearer my-token"


def test_on_a_desk_the_usual_kubeconfig_is_used_and_stays_as_it_was(kubeconfig: Path) -> None:
    before = kubeconfig.read_bytes()
    configuration = asyncio.run(load_configuration(environ={"KUBECONFIG": str(kubeconfig)}))
    assert configuration.host == "https://home.example:6443"
    assert kubeconfig.read_bytes() == before


@pytest.mark.parametrize("missing", ["token", "ca.crt"])
async def test_a_pod_without_its_service_account_is_told_what_it_needs(account: Path, missing: str) -> None:
    (account / missing).unlink()
    with pytest.raises(ClusterConfigError, match="automountServiceAccountToken: true"):
        await load_configuration(environ=POD, service_account=account)


@pytest.mark.parametrize("content", [None, "", "{", "[]", "clusters: 7", "current-context: nowhere", "\x00"])
async def test_a_kubeconfig_that_leads_nowhere_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "broken"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ClusterConfigError, match=f"KUBECONFIG={file}: .*; name a kubeconfig that reaches the cluster"):
        await load_configuration(environ={"KUBECONFIG": str(file)})


async def test_a_context_that_is_not_there_is_named(kubeconfig: Path) -> None:
    with pytest.raises(ClusterConfigError, match="elsewhere"):
        await load_configuration(kubeconfig=kubeconfig, context="elsewhere", environ={})
