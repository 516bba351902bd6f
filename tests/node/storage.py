"""Volumes of our own node, as a cluster's administrator would offer them: a default storage class with a few local volumes.

Each is a file system of its own in memory, small enough that a test can fill it. `machine.py` makes them; tests about disks look inside.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.cluster.kubectl import Kubectl
from tests.node.leftovers import FOLDER
from tests.node.node_files import NODE_NAME

CLASS = "local"
VOLUMES = FOLDER / "volumes"
COUNT = 4
CAPACITY = "1Gi"
"""What is promised; what a chart asks for must be no more."""
REAL_SIZE = "48m"


def offer_volumes(kubectl: Kubectl) -> None:
    """Make them, and the class that is taken when nobody names one."""
    items = [_storage_class(), *(_volume(_make(number)) for number in range(COUNT))]
    kubectl("apply", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def folder_of_claim(kubectl: Kubectl, claim: str) -> Path:
    """Where the contents of a bound claim lie on this machine."""
    volume = kubectl.json("get", "persistentvolumeclaim", claim)["spec"]["volumeName"]
    return Path(kubectl.json("get", "persistentvolume", volume)["spec"]["local"]["path"])


def _make(number: int) -> Path:
    folder = VOLUMES / str(number)
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={REAL_SIZE},mode=0777", "kabobagool", str(folder)], check=True)
    return folder


def _storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _volume(folder: Path) -> dict[str, Any]:
    here = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [NODE_NAME]}]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": f"local-{folder.name}"},
        "spec": {
            "capacity": {"storage": CAPACITY},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": CLASS,
            "local": {"path": str(folder)},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [here]}},
        },
    }
