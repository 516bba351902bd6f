"""The programs a node runs and where each comes from: our own build, Debian, or the chart tests' helm.

`machine.py` starts them; `requirements.py` says what is missing before anything is started. Built once per machine, like the control plane.
"""

from tests.cluster.binaries import HERE, KUBERNETES, GoModule

NODE = GoModule(
    folder=HERE / "node",
    program="kubenode",
    title="kubelet and kube-proxy",
    minutes=6,
    names="k8s.io/kubernetes",
    stamps=KUBERNETES.stamps,
)
COREDNS = GoModule(folder=HERE / "coredns", program="coredns", title="CoreDNS", minutes=2, names="github.com/coredns/coredns")
NETWORK_POLICIES = GoModule(
    folder=HERE / "network_policies",
    program="kube-router",
    title="kube-router, which enforces NetworkPolicies",
    minutes=4,
    names="github.com/cloudnativelabs/kube-router/v2",
    package="github.com/cloudnativelabs/kube-router/v2/cmd/kube-router",
)
