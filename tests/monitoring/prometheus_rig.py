"""The Prometheus Operator and Prometheus as processes: one reads our monitors and rules, the other runs with what the first one wrote.

In a cluster a Pod would mount the generated configuration; here the test takes it out of the Secret and the ConfigMap it was written to.
"""

import base64
import contextlib
import gzip
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import yaml
from tests.cluster.binaries import KUBERNETES_TARGETS, PROMETHEUS_OPERATOR, go
from tests.cluster.kubectl import Kubectl
from tests.cluster.processes import ServerProcess, free_port
from tests.monitoring.prometheus_api import PrometheusApi
from tests.monitoring.rule_files import program

Body = dict[str, Any]
NAME = "main"
READER = "prometheus"
RBAC = "rbac.authorization.k8s.io"
RIGHTS = {
    "apiGroups": ["", "discovery.k8s.io"],
    "resources": ["pods", "services", "endpoints", "endpointslices"],
    "verbs": ["get", "list", "watch"],
}
RULES_FOLDER = f"/etc/prometheus/rules/prometheus-{NAME}-rulefiles-0"
"""Where the operator lets a Pod of Prometheus find the rules."""
OF_THE_POD = {"$(POD_NAME)": f"prometheus-{NAME}-0", "$(SHARD)": "0"}
"""What the program that lies beside Prometheus in its Pod puts in: there is one Pod, and one shard."""
VERSION = "v2.42.0"
"""That of Debian's Prometheus: the operator writes nothing that it would not understand."""


def operator_crds() -> Path:
    """The folder with the Prometheus Operator's CRDs, those of the very version that is built; kept beside the binary."""
    kept = PROMETHEUS_OPERATOR.binary.parent / "crds"
    if not kept.exists():
        command = [go(), "mod", "download", "-json", f"{PROMETHEUS_OPERATOR.names}@{PROMETHEUS_OPERATOR.version}"]
        said = subprocess.run(command, cwd=PROMETHEUS_OPERATOR.folder, capture_output=True, text=True, check=True).stdout
        unfinished = kept.with_name(f"crds.{os.getpid()}")
        shutil.copytree(Path(json.loads(said)["Dir"]) / "example" / "prometheus-operator-crd", unfinished)
        unfinished.replace(kept)
    return kept


def prometheus_resource(token: Path, *, url: str, kubeconfig: Path, every: str = "1s") -> Body:
    """The Prometheus that a cluster's administrator asks for. It selects all that its operator may see, and is outside of the cluster.

    `token` is that of its service account, `kubeconfig` says whom to trust, `every` how often it reads and reckons.
    """
    trusted = json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]["certificate-authority"]
    everything: Body = {}
    selected = [f"{what}{of}Selector" for what in ("serviceMonitor", "podMonitor", "rule") for of in ("", "Namespace")]
    return {
        "version": VERSION,
        "serviceAccountName": READER,
        "scrapeInterval": every,
        "evaluationInterval": every,
        "apiserverConfig": {"host": url, "bearerTokenFile": str(token), "tlsConfig": {"caFile": trusted}},
        **dict.fromkeys(selected, everything),
    }


def reader_token(kubectl: Kubectl) -> str:
    """The token of a service account in kubectl's namespace, with the rights that Prometheus is usually given and no others."""
    subject = {"kind": "ServiceAccount", "name": READER, "namespace": kubectl.namespace}
    role = {"apiGroup": RBAC, "kind": "ClusterRole", "name": READER}
    kubectl.apply("v1", "ServiceAccount", READER)
    kubectl.apply(f"{RBAC}/v1", "ClusterRole", READER, rules=[RIGHTS])
    kubectl.apply(f"{RBAC}/v1", "ClusterRoleBinding", READER, roleRef=role, subjects=[subject])
    return kubectl("create", "token", READER).strip()


def written_for_it(kubectl: Kubectl) -> tuple[Body, Body] | None:
    """What the Prometheus Operator made of everything: the Secret of the configuration and the ConfigMap of the rules; None before."""
    names = f"secret/prometheus-{NAME}", f"configmap/prometheus-{NAME}-rulefiles-0"
    if any(kubectl.run("get", name).returncode != 0 for name in names):
        return None
    secret, rules = (kubectl.json("get", name) for name in names)
    return (secret, rules) if "prometheus.yaml.gz" in secret.get("data", {}) else None


class PrometheusOperator:
    """The operator of Prometheus, as the administrator of these namespaces."""

    def __init__(self, folder: Path, kubeconfig: Path, *namespaces: str) -> None:
        options = (f"--namespaces={','.join(namespaces)}", f"--web.listen-address=127.0.0.1:{free_port()}", "--log-level=debug")
        command = ("env", f"KUBECONFIG={kubeconfig}", str(PROMETHEUS_OPERATOR.binary), *options)
        self.process = ServerProcess(command, folder / "prometheus-operator.log")


class Prometheus:
    """Debian's Prometheus with a configuration that somebody else wrote, asked over HTTP. `folder` is made.

    It is built without the discovery of Kubernetes. That part of Prometheus runs beside it and hands over what it finds as files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.began = 0.0
        """When it was started, in seconds since the epoch."""
        port = free_port()
        self.api = PrometheusApi(f"http://127.0.0.1:{port}")
        for name in ("rules", "targets"):
            (folder / name).mkdir(parents=True)
        generated, config = folder / "generated.yaml", folder / "prometheus.yaml"
        options = (f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}")
        self.process = ServerProcess([program("prometheus"), *options], folder / "prometheus.log")
        self.discovery = ServerProcess([str(KUBERNETES_TARGETS.binary), str(generated), str(folder / "targets")], folder / "discovery.log")

    def start(self) -> None:
        """Read what `take` was given."""
        self.began = time.time()
        self.discovery.start()
        self.process.start()

    def kill(self) -> None:
        """Nothing of it is left."""
        self.process.kill()
        self.discovery.kill()

    def take(self, secret: Body, rule_files: Body) -> None:
        """Put down what the operator wrote. Two things differ: in which folder the rules lie, and who asks the API server for targets."""
        text = gzip.decompress(base64.b64decode(secret["data"]["prometheus.yaml.gz"])).decode()
        assert RULES_FOLDER in text
        for written, here in {RULES_FOLDER: str(self.folder / "rules"), **OF_THE_POD}.items():
            text = text.replace(written, here)
        (self.folder / "generated.yaml").write_text(text)
        (self.folder / "prometheus.yaml").write_text(yaml.safe_dump(self._with_files(yaml.safe_load(text)), sort_keys=False))
        for name, rules in rule_files["data"].items():
            (self.folder / "rules" / name).write_text(rules)

    def _with_files(self, config: Body) -> Body:
        for place, job in enumerate(config["scrape_configs"]):
            job["file_sd_configs"] = [{"files": [str(self.folder / "targets" / f"{place}.json")]}]
            assert job.pop("kubernetes_sd_configs")
        return config

    def check(self) -> None:
        """promtool's opinion of it."""
        command = [program("promtool"), "check", "config", str(self.folder / "prometheus.yaml")]
        checked = subprocess.run(command, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout + checked.stderr

    def answers(self) -> bool:
        """Whether it has read its configuration."""
        with contextlib.suppress(OSError):
            return bool(self.api.ask("status/config"))
        return False

    def targets(self) -> dict[tuple[str, str], str]:
        """Health of each target by job and market, empty for what is of no market."""
        return {(labels["job"], labels.get("market", "")): health for labels, health in self.target_health()}

    def target_health(self) -> list[tuple[dict[str, str], str]]:
        """Labels and health of each target."""
        return [(each["labels"], each["health"]) for each in self.api.ask("targets", state="active")["activeTargets"]]

    def value(self, question: str) -> float | None:
        """The answer to a question with one answer; None without any."""
        result = self.api.ask("query", query=question)["result"]
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None

    def rule_health(self) -> dict[str, str]:
        """What Prometheus thinks of each alert: `ok`, or `err` for one that it could not reckon."""
        return {rule["name"]: rule["health"] for group in self.api.ask("rules")["groups"] for rule in group["rules"]}

    def firing(self) -> dict[str, Body]:
        """Alerts that fire, by name; one of each is enough."""
        return {alert["labels"]["alertname"]: alert for alert in self.api.ask("alerts")["alerts"] if alert["state"] == "firing"}
