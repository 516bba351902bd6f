"""Every target, by name. A parser that meets the outside and is not in this table is not fuzzed."""

from typing import Final

from tests.fuzz import frame_targets, gate_targets, own_targets, venue_targets
from tests.fuzz.target import Target

TARGETS: Final[dict[str, Target]] = {
    target.name: target for group in (frame_targets, venue_targets, gate_targets, own_targets) for target in group.TARGETS
}
