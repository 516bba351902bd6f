"""What the API server refused for good, remembered until something changes: so that it is said, and not asked again at every look.

`apply_plan.py` notes and clears, `observe.py` tells the plan.
"""

import msgspec

from kabobagool.clock import Clock
from kabobagool_operator.cluster_errors import ClusterError, Denial, Forbidden, Invalid
from kabobagool_operator.plan_step import REFUSED_LOOK_S


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What was refused and in which words; `at_s` is a moment of the monotonic clock."""

    wanted: str
    message: str
    by_quota: bool
    at_s: float


class Refusals:
    """By ArbMarket, for what it wants now: another configuration is another question."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: dict[str, Refusal] = {}

    def of(self, name: str, wanted: str) -> Refusal | None:
        """What was said when this was applied last, None when it was accepted or never tried."""
        found = self._refused.get(name)
        return found if found is not None and found.wanted == wanted else None

    def is_recent(self, name: str, wanted: str) -> bool:
        """Whether it is too early to try again."""
        found = self.of(name, wanted)
        return found is not None and self._clock.monotonic() - found.at_s < REFUSED_LOOK_S

    def note(self, name: str, wanted: str, error: ClusterError) -> bool:
        """Remember a refusal. False when the error is none, and passes by itself."""
        if not _is_final(error):
            return False
        by_quota = isinstance(error, Forbidden) and error.denial is Denial.QUOTA
        self._refused[name] = Refusal(wanted=wanted, message=str(error), by_quota=by_quota, at_s=self._clock.monotonic())
        return True

    def clear(self, name: str) -> None:
        """It was accepted, or the ArbMarket is gone."""
        self._refused.pop(name, None)


def _is_final(error: ClusterError) -> bool:
    if isinstance(error, Forbidden):
        return error.denial in (Denial.QUOTA, Denial.RIGHTS, Denial.POLICY)
    return isinstance(error, Invalid)
