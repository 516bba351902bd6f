"""What a node would do for the operator's Pods where there is none: their commands run as processes, with the Pod's variables and account.

Images are not needed: the program is the one under test. Addresses of Services do not resolve here, so a test says where they really are.
"""

import base64
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.cluster.kubectl import Kubectl
from tests.gate.redis_servers import free_port

Body = dict[str, Any]
PROGRAM = (sys.executable, "-m", "kabobagool_operator.cli")
LOOK_S = 0.3
PATIENCE_S = 120.0


class OperatorNode:
    """Runs the operator's Deployment, one process for it, and the Job before an uninstall, until it is closed."""

    def __init__(self, plane: Any, namespace: str, folder: Path, really: dict[str, str]) -> None:
        self.kubectl: Kubectl = plane.kubectl(namespace=namespace)
        self._plane, self._folder, self._really = plane, folder, really
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look_for_ever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join(PATIENCE_S)
        for process in self._processes.values():
            process.terminate()
            process.wait(PATIENCE_S)

    def log(self, name: str) -> str:
        """What a process printed."""
        file = self._folder / f"{name}.log"
        return file.read_text() if file.exists() else ""

    def _look_for_ever(self) -> None:
        while not self._ending.wait(LOOK_S):
            self._look()

    def _look(self) -> None:
        for kind in ("deployment", "job"):
            found = self.kubectl.run("get", kind, "--output", "json", "--selector", "app.kubernetes.io/name=kabobagool")
            for body in json.loads(found.stdout)["items"] if found.returncode == 0 else ():
                self._tend(kind, body)

    def _tend(self, kind: str, body: Body) -> None:
        name, spec = body["metadata"]["name"], body["spec"]["template"]["spec"]
        if not spec["automountServiceAccountToken"]:
            return
        wanted = kind == "job" or body["spec"]["replicas"] > 0
        process = self._processes.get(name)
        if wanted and process is None:
            self._processes[name] = self._started(name, spec)
        elif not wanted and process is not None:
            process.terminate()
            del self._processes[name]
            process.wait(PATIENCE_S)
        if kind == "job" and process is not None and process.poll() is not None:
            self._report(name, "Succeeded" if process.returncode == 0 else "Failed")

    def _started(self, name: str, spec: Body) -> subprocess.Popen[bytes]:
        container = spec["containers"][0]
        token = self.kubectl("create", "token", spec["serviceAccountName"]).strip()
        variables = {variable["name"]: self._value(name, variable) for variable in container["env"]} | self._really
        variables |= {"KABOBAGOOL_HEALTH_PORT": str(free_port()), "KABOBAGOOL_FLEET_PORT": "0"}
        if "KABOBAGOOL_PROFILES_DIR" in variables:
            variables["KABOBAGOOL_PROFILES_DIR"] = str(self._profiles(spec))
        environment = os.environ | variables | {"KUBECONFIG": str(self._plane.kubeconfig_with(token))}
        command = [*PROGRAM, *container["command"][1:], *container["args"]]
        with (self._folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log)

    def _value(self, name: str, variable: Body) -> str:
        source = variable.get("valueFrom", {})
        if "secretKeyRef" in source:
            reference = source["secretKeyRef"]
            secret = self.kubectl.json("get", "secret", reference["name"])
            return base64.b64decode(secret["data"][reference["key"]]).decode()
        if "fieldRef" in source:
            fields = {"metadata.name": f"{name}-1", "metadata.namespace": self.kubectl.namespace, "status.podIP": "127.0.0.1"}
            return str(fields[source["fieldRef"]["fieldPath"]])
        return str(variable["value"])

    def _profiles(self, spec: Body) -> Path:
        name = next(volume["configMap"]["name"] for volume in spec["volumes"] if volume["name"] == "profiles")
        folder = self._folder / name
        folder.mkdir(exist_ok=True)
        for file, text in self.kubectl.json("get", "configmap", name)["data"].items():
            (folder / file).write_text(text)
        return folder

    def _report(self, job: str, phase: str) -> None:
        """As a kubelet tells that the Job's Pod has ended."""
        pods = self.kubectl.run("get", "pods", "--selector", f"batch.kubernetes.io/job-name={job}", "--output", "name").stdout.split()
        status = json.dumps({"status": {"phase": phase}})
        for pod in pods:
            self.kubectl.run("patch", pod, "--subresource=status", "--type=merge", "--patch", status)


def eventually(holds: Any, what: str, *, patience_s: float = PATIENCE_S) -> None:
    """Look until it holds."""
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(LOOK_S)
