"""The configuration files of a node's programs: container runtime, network, kubelet and cluster DNS.

Written by `machine.py` into the node's folder. What is not ordinary here is so because tests run in small virtual machines and containers:
no right to raise priorities, no disk quota, control groups of either version.
"""

import json
from pathlib import Path

from tests.node.host import PLUGINS, POD_NETWORK

NODE_NAME = "node1"
BRIDGE = "kabobagool0"
DNS_ADDRESS = str(POD_NETWORK[1])
"""The bridge's own address: the cluster DNS listens there, and every pod can reach it."""
PAUSE_IMAGE = "localhost/kabobagool-pause:1"

_CONTAINERD = """\
version = 2
root = "{folder}/images"
state = "{state}"
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{folder}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  disable_apparmor = true
  disable_hugetlb_controller = true
  tolerate_missing_hugetlb_controller = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/network"
"""
_KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {{anonymous: {{enabled: false}}, webhook: {{enabled: false}}, x509: {{clientCAFile: {folder}/kubelet-client.crt}}}}
authorization: {{mode: AlwaysAllow}}
address: {address}
port: 10250
readOnlyPort: 0
healthzPort: 0
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
containerRuntimeEndpoint: unix://{socket}
oomScoreAdj: 0
maxPods: 250
evictionHard: {{nodefs.available: "0%", imagefs.available: "0%", memory.available: "100Mi"}}
localStorageCapacityIsolation: false
makeIPTablesUtilChains: false
imageGCHighThresholdPercent: 100
syncFrequency: 10s
nodeStatusUpdateFrequency: 4s
featureGates: {{KubeletCrashLoopBackOffMax: true}}
crashLoopBackOff: {{maxContainerRestartPeriod: 10s}}
resolvConf: ""
clusterDNS: ["{dns}"]
clusterDomain: cluster.local
podLogsDir: {folder}/logs
volumePluginDir: {folder}/volume-plugins
"""
_COREDNS = """\
cluster.local:53 {{
  bind {dns}
  errors
  kubernetes cluster.local {{
    kubeconfig {kubeconfig} {context}
  }}
}}
"""


def _network(folder: Path) -> str:
    """One bridge, addresses from one range. Traffic to Services leaves the bridge through kube-proxy's rules."""
    ranges = {"ranges": [[{"subnet": str(POD_NETWORK)}]], "routes": [{"dst": "0.0.0.0/0"}]}
    addresses = {"type": "host-local", "dataDir": str(folder / "addresses"), **ranges}
    bridge = {"type": "bridge", "bridge": BRIDGE, "isGateway": True, "hairpinMode": True, "ipMasq": False, "ipam": addresses}
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": "kabobagool", "plugins": [bridge, ports]})


def write_node_files(folder: Path, *, state: Path, socket: Path, address: str, kubeconfig: Path, context: str) -> None:
    """All of them. `state` and `socket` are containerd's and lie where they vanish with the next start of the machine."""
    (folder / "network").mkdir(parents=True)
    (folder / "network" / "10-kabobagool.conflist").write_text(_network(folder))
    (folder / "containerd.toml").write_text(
        _CONTAINERD.format(folder=folder, state=state, socket=socket, pause=PAUSE_IMAGE, plugins=PLUGINS)
    )
    (folder / "kubelet.yaml").write_text(_KUBELET.format(folder=folder, socket=socket, address=address, dns=DNS_ADDRESS))
    (folder / "Corefile").write_text(_COREDNS.format(dns=DNS_ADDRESS, kubeconfig=kubeconfig, context=context))
