"""Build ahead of time what tests and benchmarks otherwise build when they first need it.

`python -m tests.cluster [kwok | helm | helm3 | prometheus-operator | kubernetes-targets]` prints where it is.
"""

import sys

from tests.cluster.binaries import HELM, HELM_3, KUBERNETES, KUBERNETES_TARGETS, KWOK, PROMETHEUS_OPERATOR, BuildError

MODULES = {module.program: module for module in (KUBERNETES, KWOK, HELM, HELM_3, PROMETHEUS_OPERATOR, KUBERNETES_TARGETS)}


def main(arguments: list[str]) -> None:
    """Build one; progress goes to standard error."""
    name = arguments[0] if arguments else KUBERNETES.program
    if name not in MODULES:
        sys.exit(f"{name}: not one of {', '.join(MODULES)}")
    try:
        print(MODULES[name].ensure(lambda line: print(line, file=sys.stderr, flush=True)))
    except BuildError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
