"""A Kubernetes of one node on this machine, by hand: `python -m tests.node up` to have one, `down` to clear away what a killed one left.

`prepare` installs and builds what it needs; `make test-cluster` calls it first, because that takes longer than a test may.
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

from tests.cluster.binaries import BuildError
from tests.node import leftovers
from tests.node.host import HostError
from tests.node.machine import Node
from tests.node.prepare import prepare

USAGE = "usage: python -m tests.node up [IMAGE.tar ...] | prepare | down"


def say(line: str) -> None:
    """Progress goes to standard error, at once."""
    print(line, file=sys.stderr, flush=True)


def up(archives: list[Path]) -> None:
    """Run a node until Ctrl-C."""
    ready = prepare(say)
    node = Node()
    try:
        node.start([*ready.archives, *archives])
        print(f"export KUBECONFIG={node.kubeconfig}", flush=True)
        say("the node is ready; Ctrl-C ends it")
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
    finally:
        node.stop()


def down() -> None:
    """Clear away, and say what could not be."""
    leftovers.remove()
    if left := leftovers.found():
        sys.exit("still there:\n" + "\n".join(left))
    say("nothing of a node is left")


def main(arguments: list[str]) -> None:
    """One of the three."""
    commands: dict[str, Callable[[], object]] = {
        "up": lambda: up([Path(name) for name in arguments[1:]]),
        "prepare": lambda: prepare(say),
        "down": down,
    }
    if not arguments or arguments[0] not in commands:
        sys.exit(USAGE)
    try:
        commands[arguments[0]]()
    except (HostError, BuildError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
