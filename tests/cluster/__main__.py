"""Build ahead of time what tests and benchmarks otherwise build when they first need it.

`python -m tests.cluster [kwok | helm | helm3 | prometheus-operator | kubernetes-targets]` prints where it is; `tests` makes everything that
`make test` needs, where its progress can be seen: tests that run side by side have no screen.
"""

import sys

from tests.cluster import existing_cluster
from tests.cluster.binaries import (
    HELM,
    HELM_3,
    KUBERNETES,
    KUBERNETES_TARGETS,
    KWOK,
    PROMETHEUS_OPERATOR,
    BuildError,
    ensure_helm,
    ensure_kubernetes,
    ensure_prometheus_operator,
)

MODULES = {module.program: module for module in (KUBERNETES, KWOK, HELM, HELM_3, PROMETHEUS_OPERATOR, KUBERNETES_TARGETS)}
TESTS = "tests"


def main(arguments: list[str]) -> None:
    """Build one, or all that tests need; progress goes to standard error."""
    name = arguments[0] if arguments else KUBERNETES.program
    if name == TESTS:
        for_tests()
        return
    if name not in MODULES:
        sys.exit(f"{name}: not one of {TESTS}, {', '.join(MODULES)}")
    try:
        print(MODULES[name].ensure(say))
    except BuildError as error:
        sys.exit(str(error))


def for_tests() -> None:
    """What cannot be built is said; the tests that need it fail with the same words, the others run."""
    wanted = [ensure_helm, ensure_prometheus_operator]
    for ensure in wanted if existing_cluster.is_wanted() else [ensure_kubernetes, *wanted]:
        try:
            ensure(say)
        except BuildError as error:
            say(str(error))


def say(line: str) -> None:
    """To whoever waits."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
