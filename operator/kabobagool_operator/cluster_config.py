"""Where the API server is and who we are to it: the Pod's service account inside of a cluster, a kubeconfig outside of it.

`main.py` and the tests make the client's configuration here. Nothing is written back to a kubeconfig.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config.config_exception import ConfigException
from kubernetes.aio.config.incluster_config import SERVICE_HOST_ENV_NAME, InClusterConfigLoader
from kubernetes.aio.config.kube_config import load_kube_config

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class ClusterConfigError(RuntimeError):
    """There is no usable way to the API server; the text says what to give."""


async def load_configuration(
    *,
    kubeconfig: Path | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
    service_account: Path = SERVICE_ACCOUNT,
) -> Configuration:
    """Find the API server: in the kubeconfig that is given, else as the Pod we are, else in KUBECONFIG or ~/.kube/config.

    Raises ClusterConfigError.
    """
    configuration = Configuration()
    if kubeconfig is None and SERVICE_HOST_ENV_NAME in environ:
        _as_pod(configuration, environ, service_account)
    else:
        await _from_file(configuration, kubeconfig or _usual_file(environ), context)
    configuration.client_session_kwargs = {"trust_env": False}  # else two threads are asked about proxies and ~/.netrc at every request
    return configuration


def _usual_file(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")


def _as_pod(configuration: Configuration, environ: Mapping[str, str], account: Path) -> None:
    try:
        loader = InClusterConfigLoader(str(account / "token"), str(account / "ca.crt"), environ=environ)  # type: ignore[no-untyped-call]
        loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
    except (ConfigException, OSError) as e:
        raise ClusterConfigError(
            f"{account}: {e}; the operator's Pod needs a service account with automountServiceAccountToken: true"
        ) from e


async def _from_file(configuration: Configuration, file: Path, context: str | None) -> None:
    try:
        await load_kube_config(  # type: ignore[no-untyped-call]
            str(file), context=context, client_configuration=configuration, persist_config=False
        )
    except Exception as e:  # the loader stumbles in as many ways as a file can be wrong
        said = " ".join(str(e).split())
        raise ClusterConfigError(f"KUBECONFIG={file}: {said}; name a kubeconfig that reaches the cluster, or run inside of one") from e
