"""Whether this machine can be a Kubernetes node, and what is installed on it to become one.

`python -m tests.node` asks first and says everything that is missing at once, before anything is started. Nothing is changed here but
Debian packages, and those are named before they are installed.
"""

import ipaddress
import os
import platform
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

PACKAGES = {
    "containerd": "containerd",
    "ctr": "containerd",
    "runc": "runc",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ipset": "ipset",
    "ip": "iproute2",
    "openssl": "openssl",
    "mount": "mount",
}
"""Each program a node calls, and the Debian package that has it."""
PLUGINS = Path("/usr/lib/cni")
PLUGINS_PACKAGE = "containernetworking-plugins"
PLUGINS_WANTED = ("bridge", "host-local", "portmap", "loopback")
POD_NETWORK = ipaddress.ip_network("10.244.0.0/24")
SERVICE_NETWORK = ipaddress.ip_network("10.96.0.0/16")
LEAST_MEMORY_GIB = 5
LEAST_DISK_GIB = 8
GIB = 1 << 30
SHOWN_CHARACTERS = 2000
KERNEL_FILES = {
    "/proc/sys/net/bridge/bridge-nf-call-iptables": "the kernel module br_netfilter is not loaded: modprobe br_netfilter",
    "/proc/sys/net/ipv4/ip_forward": "/proc/sys/net/ipv4/ip_forward cannot be set: run this outside of a container, or in a privileged one",
}
OTHERWISE = "Or use a cluster that you have: kind create cluster && USE_EXISTING_CLUSTER=1 make test-cluster"


class HostError(Exception):
    """This machine cannot be a node; the text says everything that is missing and what to do."""


def problems(folder: Path) -> list[str]:
    """What cannot be mended by installing packages, a line for each. `folder` is where the node would keep its files."""
    if sys.platform != "linux":
        return [f"{platform.system()} cannot run containers by itself: a node needs Linux"]
    return [*_of_rights(), *_of_kernel(), *_of_size(folder), *_of_networks()]


def install(say: Callable[[str], None]) -> None:
    """Install the Debian packages that are missing. HostError with the line to type when that is impossible."""
    packages = missing_packages()
    if not packages:
        return
    line = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if not shutil.which("apt-get"):
        raise HostError(f"missing: {', '.join(packages)} (the names are Debian's); install them with this system's own tool\n{OTHERWISE}")
    say(f"installing Debian packages: {' '.join(packages)}")
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update", "-q"], [*line.split(), "-q", "-y"]):
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HostError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-SHOWN_CHARACTERS:]}\n{OTHERWISE}")
    if still := missing_packages():
        raise HostError(f"{line} went well, and {', '.join(still)} still lacks a program: {', '.join(_missing_programs())}\n{OTHERWISE}")


def missing_packages() -> list[str]:
    """Debian packages a node needs and this machine does not have."""
    found = {PACKAGES[program] for program in _missing_programs()}
    if not all((PLUGINS / plugin).exists() for plugin in PLUGINS_WANTED):
        found.add(PLUGINS_PACKAGE)
    return sorted(found)


def node_address() -> str:
    """The address by which pods reach this machine: the one it would use to go out. HostError when it has none but loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # nothing is sent: a datagram socket only chooses its way
            address = str(probe.getsockname()[0])
        except OSError:
            address = "127.0.0.1"
    if ipaddress.ip_address(address).is_loopback:
        raise HostError(f"this machine has no address but loopback, and a kubelet refuses that one\n{OTHERWISE}")
    return address


def _missing_programs() -> list[str]:
    return [program for program in PACKAGES if not shutil.which(program)]


def _of_rights() -> Iterator[str]:
    if os.geteuid() != 0:
        yield "a node makes network interfaces, mounts and control groups: run this as root"


def _of_kernel() -> Iterator[str]:
    for file, wrong in KERNEL_FILES.items():
        if not os.access(file, os.W_OK):
            yield wrong
    if "overlay" not in Path("/proc/filesystems").read_text():
        yield "the kernel has no overlayfs: modprobe overlay"
    if not Path("/sys/fs/cgroup/memory").exists() and not Path("/sys/fs/cgroup/cgroup.controllers").exists():
        yield "no control groups at /sys/fs/cgroup: run this outside of a container, or in a privileged one"


def _of_size(folder: Path) -> Iterator[str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if memory < LEAST_MEMORY_GIB * GIB:
        yield f"{memory / GIB:.1f} GiB of memory: the node and a fleet of bots want {LEAST_MEMORY_GIB} GiB"
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if (free := shutil.disk_usage(there).free) < LEAST_DISK_GIB * GIB:
        yield f"{free / GIB:.1f} GiB free at {there}: images and containers want {LEAST_DISK_GIB} GiB"


def _of_networks() -> Iterator[str]:
    """A machine that already has a way into the cluster's networks is in a cluster itself, or in a network that would break."""
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        interface, destination, _, _, _, _, _, mask, *_ = line.split()
        network = ipaddress.ip_network((_address(destination), _address(mask)))
        if network.prefixlen == 0 or interface.startswith("kabobagool"):
            continue
        for name, ours in (("pods", POD_NETWORK), ("Services", SERVICE_NETWORK)):
            if network.overlaps(ours):
                yield f"{interface} leads to {network}, which the node would use for {name} ({ours}): is this machine in a cluster already?"


def _address(hexadecimal: str) -> str:
    return str(ipaddress.ip_address(int.from_bytes(bytes.fromhex(hexadecimal), "little")))
