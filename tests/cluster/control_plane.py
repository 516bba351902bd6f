"""A real Kubernetes control plane for the tests: etcd and the API server, and on request the controllers and the scheduler.

It has no node, so pods are created and never run; that is all an operator sees of them until they report. Everything lies in a folder of
its own, listens on ports of its own, and goes with the tests. Most tests share one (`plugin.py`, fixture `control_plane`); a test that
kills or pauses its API server starts one for itself (fixture `own_control_plane`).
"""

import secrets
import shutil
import ssl
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Self

import httpx
import pytest
from Crypto.PublicKey import ECC
from tests.cluster.audit import POLICY, AuditLog, Request
from tests.cluster.binaries import command_of
from tests.cluster.kubeconfig import write_kubeconfig
from tests.cluster.kubectl import Kubectl
from tests.cluster.processes import ServerProcess, free_port

PATIENCE_S = 90.0
LOOK_S = 0.05
ADMIN = "admin"
CONTROLLER_MANAGER = "system:kube-controller-manager"
SCHEDULER = "system:kube-scheduler"
UNROTATED_MB = 100_000
"""Marks in the audit log are places in one file."""
NO_SERVING = ("--secure-port=0", "--leader-elect=false")
"""One of each, which nobody asks for its health: two control planes at once would want the same port."""


class ControlPlane:
    """Started by `start` or a `with` block. `users` are those with a token of their own: {name: groups}; RBAC decides what they may."""

    def __init__(self, *, users: Mapping[str, Sequence[str]] | None = None, controllers: bool = True, scheduler: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="kabobagool-cluster-"))
        self.url = f"https://127.0.0.1:{free_port()}"
        groups: dict[str, Sequence[str]] = {ADMIN: ["system:masters"], CONTROLLER_MANAGER: [], SCHEDULER: [], **(users or {})}
        self._tokens = {user: secrets.token_hex(16) for user in groups}
        self._write_secrets(groups)
        self.audit = AuditLog(self.folder / "audit.log")
        self._etcd_url = f"http://127.0.0.1:{free_port()}"
        self.etcd = self._server("etcd", *self._etcd_options())
        self.api_server = self._server("kube-apiserver", *self._api_server_options())
        self.has_controllers = controllers
        self._followers: list[ServerProcess] = []
        if controllers:
            self._followers.append(self._server("kube-controller-manager", *self._controller_options()))
        if scheduler:
            self._followers.append(self._server("kube-scheduler", f"--kubeconfig={self.kubeconfig_for(SCHEDULER)}", *NO_SERVING))

    @property
    def port(self) -> int:
        """Where the API server listens."""
        return int(self.url.rpartition(":")[2])

    @property
    def servers(self) -> list[ServerProcess]:
        """All of its processes, the last that started first."""
        return [*reversed(self._followers), self.api_server, self.etcd]

    @property
    def token(self) -> str:
        """The administrator's."""
        return self._tokens[ADMIN]

    @cached_property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.kubeconfig_for(ADMIN)

    def kubeconfig_for(self, user: str, *, port: int | None = None) -> Path:
        """A user's kubeconfig; with `port` it leads there, for a test that puts a wire before the API server."""
        return self.kubeconfig_with(self._tokens[user], port=port)

    def kubeconfig_with(self, token: str, *, port: int | None = None) -> Path:
        """A kubeconfig with any token, as that of a service account."""
        return write_kubeconfig(
            self.folder / f"{secrets.token_hex(6)}.kubeconfig",
            url=self.url if port is None else f"https://127.0.0.1:{port}",
            certificate_authority={"certificate-authority": str(self._certificate)},
            token=token,
        )

    def kubectl(self, *, namespace: str | None = None, kubeconfig: Path | None = None) -> Kubectl:
        """kubectl as the administrator, or as somebody else."""
        return Kubectl(kubeconfig or self.kubeconfig, self.folder / "kubectl-cache", namespace)

    def start(self) -> Self:
        """Return when the API server is ready; the controllers and the scheduler begin then."""
        self.etcd.start()
        self.restart_api_server()
        return self

    def stop(self) -> None:
        """Nothing of it is left: no process, no file."""
        for server in self.servers:
            server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def kill_api_server(self) -> None:
        """Connections break and new ones are refused; etcd keeps what was written."""
        self.api_server.kill()

    def restart_api_server(self) -> None:
        """At the same address with the same data; return when it is ready."""
        self.api_server.kill()
        self.api_server.start()
        deadline = time.monotonic() + PATIENCE_S
        while not self._is_ready():
            for server in (self.etcd, self.api_server):
                assert server.pid is not None, f"{server.command[0]} ended:\n{server.last_words()}"
            assert time.monotonic() < deadline, f"the API server is not ready after {PATIENCE_S:.0f} s:\n{self.api_server.last_words()}"
            time.sleep(LOOK_S)
        self._start_followers()

    def pause(self) -> None:
        """The API server keeps its connections and answers nothing."""
        self.api_server.pause()

    def resume(self) -> None:
        """It goes on where it was."""
        self.api_server.resume()

    def mark(self) -> int:
        """The place in the audit log behind all that was answered until now: what comes after it was asked for later."""
        if self.api_server.answers:
            self._wait_for_the_audit_log()
        return self.audit.mark()

    def requests(self, since: int = 0) -> list[Request]:
        """All that was answered until now, after `since` (a place from `mark()`), the controllers' own requests included."""
        if self.api_server.answers:
            self._wait_for_the_audit_log()
        return list(self.audit.requests(since))

    def writes(self, since: int = 0) -> list[Request]:
        """Those of `requests` that meant to change something: answered with an error or not, no dry runs."""
        return [request for request in self.requests(since) if request.writes]

    def _start_followers(self) -> None:
        """Those too that ended because they had only just begun when the API server went: a node would start them again."""
        for follower in self._followers:
            if follower.pid is None:
                follower.start()

    def _wait_for_the_audit_log(self) -> None:
        """A request is logged when its answer has left, which may be a moment after the client has it: look for one that came last."""
        marker, since = secrets.token_hex(16), self.audit.mark()
        self._ask("/version", headers={"Audit-ID": marker})
        deadline = time.monotonic() + PATIENCE_S
        while all(request.audit_id != marker for request in self.audit.requests(since)):
            assert time.monotonic() < deadline, "the audit log does not say what was asked last"
            time.sleep(LOOK_S)

    def _is_ready(self) -> bool:
        with suppress(httpx.HTTPError, OSError):
            return self._ask("/readyz").status_code == httpx.codes.OK
        return False

    def _ask(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        trust = ssl.create_default_context(cafile=str(self._certificate))
        own = {"Authorization": f"Bearer {self.token}"}
        return httpx.get(self.url + path, headers=own | dict(headers or {}), verify=trust, timeout=PATIENCE_S, trust_env=False)

    @property
    def _certificate(self) -> Path:
        """Made by the API server when it starts for the first time, and its own authority."""
        return self.folder / "certificates" / "apiserver.crt"

    @property
    def _signing_key(self) -> Path:
        return self.folder / "service-accounts.key"

    def _write_secrets(self, groups: Mapping[str, Sequence[str]]) -> None:
        lines = [f'{self._tokens[user]},{user},{user},"{",".join(of_user)}"' for user, of_user in groups.items()]
        (self.folder / "tokens.csv").write_text("\n".join(lines) + "\n")
        self._signing_key.write_text(ECC.generate(curve="P-256").export_key(format="PEM", use_pkcs8=False))
        (self.folder / "audit-policy.yaml").write_text(POLICY)

    def _server(self, component: str, *options: str) -> ServerProcess:
        command = command_of(component) or pytest.skip(f"no {component} in KUBEBUILDER_ASSETS")
        return ServerProcess([*command, *options], self.folder / f"{component}.log")

    def _etcd_options(self) -> list[str]:
        return [
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self._etcd_url}",
            f"--advertise-client-urls={self._etcd_url}",
            "--listen-peer-urls=http://localhost:0",
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _api_server_options(self) -> list[str]:
        return [
            f"--etcd-servers={self._etcd_url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self._certificate.parent}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={self._signing_key}",
            f"--service-account-signing-key-file={self._signing_key}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            f"--audit-policy-file={self.folder / 'audit-policy.yaml'}",
            f"--audit-log-path={self.audit.file}",
            "--audit-log-mode=blocking",
            f"--audit-log-maxsize={UNROTATED_MB}",
        ]

    def _controller_options(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig_for(CONTROLLER_MANAGER)}",
            f"--service-account-private-key-file={self._signing_key}",
            f"--root-ca-file={self._certificate}",
            "--use-service-account-credentials=true",
            "--kube-api-qps=500",
            "--kube-api-burst=1000",
            *NO_SERVING,
        ]
