"""Turns are given out a few at a time: bots are made at a steady rate, and a change goes to canaries before it goes to the fleet.

The fleet of these tests does what it is told: a bot that may be made is made within the second, one that may be changed is changed, and
comes up after a while, or never.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from kabobagool_operator.facts import Slots
from kabobagool_operator.policy import Policy
from kabobagool_operator.rollout import BROKEN_COUNTS_S, Allotment, Memory, allot
from kabobagool_operator.rollout_rows import Row


def policy(**fields: object) -> Policy:
    """Two bots down at most, one canary for ten seconds, five new bots a second of which six may be starting."""
    usual: dict[str, object] = {
        "creations_per_second": Decimal(5),
        "max_pending": 6,
        "rollout_max_unavailable": 2,
        "rollout_canaries": 1,
        "rollout_canary_s": 10.0,
    }
    return Policy(**{**usual, **fields})  # type: ignore[arg-type]


@dataclass
class Fleet:
    """Bots that follow their turns. `starts_in_s`: how long one takes to come up. `bad`: configurations that never do."""

    rows: dict[str, Row]
    policy: Policy = field(default_factory=policy)
    starts_in_s: int = 3
    bad: frozenset[str] = frozenset()
    now_s: int = 0
    memory: Memory = field(default_factory=Memory)
    up_at: dict[str, int] = field(default_factory=dict)
    most_starting: int = 0
    most_down: int = 0
    made_in: list[int] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    stopped: str | None = None

    @classmethod
    def of(cls, count: int, *, running: str | None = "old", wanted: str = "new", **fields: object) -> "Fleet":
        """Bots `bot-0` and on, the oldest first."""
        ready = running is not None
        rows = [Row(name=f"bot-{n}", created_s=float(n), desired_hash=wanted, running_hash=running, ready=ready) for n in range(count)]
        return cls({row.name: row for row in rows}, **fields)  # type: ignore[arg-type]

    def turn(self) -> Allotment:
        given = allot(self.rows.values(), self.memory, self.policy, float(self.now_s))
        self.memory, self.stopped = given.memory, given.stopped
        return given

    def second(self) -> Allotment:
        """Give out turns, and use them."""
        given = self.turn()
        for name, slots in given.slots.items():
            self.use(self.rows[name], slots)
        self.made_in.append(sum(row.made_s == self.now_s for row in self.rows.values()))
        self.most_starting = max(self.most_starting, sum(not row.missing and not row.ready for row in self.rows.values()))
        self.most_down = max(self.most_down, sum(row.running_hash == row.desired_hash and not row.ready for row in self.rows.values()))
        self.now_s += 1
        for name, row in self.rows.items():
            if self.up_at.get(name) == self.now_s:
                self.rows[name] = self.come_up(row)
        return given

    def use(self, row: Row, slots: Slots) -> None:
        if row.missing and slots.may_create:
            self.rows[row.name] = replace(row, running_hash=row.desired_hash, made_s=float(self.now_s))
        elif row.outdated and slots.may_roll:
            marked = row.canary if slots.canary is None else slots.canary
            self.rows[row.name] = replace(row, running_hash=row.desired_hash, ready=False, trouble=None, canary=marked)
            self.changed.append(row.name)
        else:
            self.mark(row, slots)
            return
        self.up_at[row.name] = self.now_s + self.starts_in_s

    def mark(self, row: Row, slots: Slots) -> None:
        """Its Deployment is put right without a new Pod, and its status says how the roll-out stands."""
        marked = row.canary if slots.canary is None or row.outdated else slots.canary
        self.rows[row.name] = replace(row, canary=marked, stopped=row.outdated and slots.stopped is not None)

    def restart(self) -> "Fleet":
        """Another operator, that knows what the cluster knows."""
        self.memory = Memory()
        return self

    def come_up(self, row: Row) -> Row:
        return replace(row, trouble="crash loop") if row.running_hash in self.bad else replace(row, ready=True)

    def run(self, seconds: int) -> "Fleet":
        for _ in range(seconds):
            self.second()
        return self

    def want(self, wanted: str, *names: str) -> None:
        """Ask for another configuration, of all or of these."""
        for name in names or tuple(self.rows):
            self.rows[name] = replace(self.rows[name], desired_hash=wanted)

    def running(self, configuration: str) -> list[str]:
        return [name for name, row in self.rows.items() if row.running_hash == configuration]


def test_bots_are_made_at_the_rate_and_the_oldest_first() -> None:
    fleet = Fleet.of(20, running=None, policy=policy(max_pending=100))
    fleet.second()
    assert fleet.running("new") == [f"bot-{n}" for n in range(5)]
    fleet.run(3)
    assert fleet.made_in == [5, 5, 5, 5]


def test_a_rate_below_one_a_second_is_kept() -> None:
    fleet = Fleet.of(5, running=None, policy=policy(creations_per_second=Decimal("0.25"))).run(12)
    assert fleet.made_in == [1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0]


def test_no_more_bots_are_starting_than_may_be() -> None:
    fleet = Fleet.of(40, running=None, starts_in_s=30, policy=policy(creations_per_second=Decimal(100))).run(29)
    assert fleet.most_starting == 6
    assert len(fleet.running("new")) == 6
    assert len(fleet.run(2).running("new")) == 12


def test_a_turn_that_was_not_used_yet_stays_and_counts() -> None:
    fleet = Fleet.of(10, running=None, policy=policy(max_pending=3))
    first = fleet.turn()
    fleet.now_s += 1
    again = fleet.turn()
    names = {name for name, slots in first.slots.items() if slots.may_create}
    assert names == {"bot-0", "bot-1", "bot-2"}
    assert {name for name, slots in again.slots.items() if slots.may_create} == names


def test_a_wrong_image_does_not_fill_the_cluster_and_does_not_stop_it_for_ever() -> None:
    fleet = Fleet.of(30, running=None, bad=frozenset({"new"}), policy=policy(creations_per_second=Decimal(100)))
    assert len(fleet.run(int(BROKEN_COUNTS_S)).running("new")) == 6
    assert len(fleet.run(10).running("new")) == 12


def test_a_canary_tries_a_change_before_the_others_get_it() -> None:
    fleet = Fleet.of(6).run(13)
    assert fleet.changed == ["bot-0"]
    assert fleet.stopped is None
    fleet.run(1)
    assert fleet.changed == ["bot-0", "bot-1", "bot-2"]


def test_the_others_follow_a_few_at_a_time_until_all_have_it() -> None:
    fleet = Fleet.of(9).run(60)
    assert fleet.running("new") == list(fleet.rows)
    assert fleet.most_down == 2


def test_a_broken_canary_stops_the_change_and_says_so() -> None:
    fleet = Fleet.of(6, bad=frozenset({"new"})).run(200)
    assert fleet.changed == ["bot-0"]
    assert fleet.stopped == "bot-0 runs with the new configuration and is not well: crash loop. The others keep the old one."
    slots = fleet.turn().slots["bot-3"]
    assert (slots.may_roll, slots.stopped) == (False, fleet.stopped)


def test_a_corrected_configuration_goes_to_the_broken_canary_first_and_then_on() -> None:
    fleet = Fleet.of(6, bad=frozenset({"new"})).run(30)
    fleet.want("better")
    fleet.run(10)
    assert fleet.changed == ["bot-0", "bot-0"]
    fleet.run(60)
    assert fleet.running("better") == list(fleet.rows)
    assert fleet.stopped is None


def test_a_configuration_that_is_taken_back_lifts_the_stop() -> None:
    fleet = Fleet.of(4, bad=frozenset({"new"})).run(30)
    fleet.want("old")
    fleet.run(30)
    assert fleet.running("old") == list(fleet.rows)
    assert fleet.stopped is None


def test_a_canary_that_breaks_while_the_others_follow_stops_the_rest() -> None:
    fleet = Fleet.of(20).run(16)
    assert len(fleet.changed) > 1
    fleet.rows["bot-0"] = replace(fleet.rows["bot-0"], ready=False, trouble="crash loop")
    fleet.second()
    changed = list(fleet.changed)
    assert fleet.run(50).changed == changed
    assert fleet.stopped is not None


def test_as_many_broken_bots_as_may_be_down_stop_the_rest_though_the_canary_is_well() -> None:
    fleet = Fleet.of(20).run(14)
    for name in fleet.changed[1:]:
        fleet.rows[name] = replace(fleet.rows[name], trouble="unschedulable")
        del fleet.up_at[name]
    changed = list(fleet.changed)
    assert fleet.run(100).changed == changed
    assert fleet.stopped == "2 bots with the new configuration are not well: bot-1, bot-2. The others keep the old one."


def test_one_edited_market_is_its_own_canary() -> None:
    fleet = Fleet.of(5, wanted="old")
    fleet.want("mine", "bot-3")
    fleet.second()
    assert fleet.changed == ["bot-3"]


def test_one_edited_market_that_breaks_stops_nobody_afterwards() -> None:
    fleet = Fleet.of(5, wanted="old", bad=frozenset({"mine"}))
    fleet.want("mine", "bot-3")
    fleet.run(30)
    fleet.want("new", "bot-0", "bot-1", "bot-2", "bot-4")
    fleet.run(60)
    assert fleet.running("new") == ["bot-0", "bot-1", "bot-2", "bot-4"]


def test_a_bot_that_is_down_anyway_gets_its_new_configuration_at_once() -> None:
    fleet = Fleet.of(6, bad=frozenset({"new"})).run(30)
    fleet.rows["bot-4"] = replace(fleet.rows["bot-4"], ready=False, trouble="image pull")
    fleet.second()
    assert fleet.changed == ["bot-0", "bot-4"]


def test_a_canary_whose_market_goes_is_replaced() -> None:
    fleet = Fleet.of(6).run(2)
    del fleet.rows["bot-0"]
    fleet.run(3)
    assert fleet.changed == ["bot-0", "bot-1"]


def test_a_canary_that_was_not_changed_yet_proves_nothing() -> None:
    fleet = Fleet.of(6)
    for fleet.now_s in range(60):
        given = fleet.turn()
        assert {name for name, slots in given.slots.items() if slots.may_roll} == {"bot-0"}


def test_a_turn_is_not_taken_back_for_somebody_older() -> None:
    fleet = Fleet.of(6, wanted="old", policy=policy(rollout_canaries=0, rollout_max_unavailable=1))
    fleet.want("new", "bot-5")
    fleet.turn()
    fleet.want("new")
    assert {name for name, slots in fleet.turn().slots.items() if slots.may_roll} == {"bot-5"}


def test_without_canaries_a_change_goes_to_a_few_at_a_time_at_once() -> None:
    fleet = Fleet.of(5, policy=policy(rollout_canaries=0))
    fleet.second()
    assert fleet.changed == ["bot-0", "bot-1"]


def test_a_restarted_operator_keeps_a_stop_and_tries_no_second_canary() -> None:
    fleet = Fleet.of(6, bad=frozenset({"new"})).run(30)
    before = fleet.stopped
    assert fleet.restart().run(200).changed == ["bot-0"]
    assert fleet.stopped == before is not None


def test_an_operator_that_is_killed_before_its_canary_breaks_leaves_the_next_one_with_that_canary() -> None:
    fleet = Fleet.of(6, bad=frozenset({"new"})).run(1)
    assert fleet.changed == ["bot-0"]
    assert fleet.restart().run(200).changed == ["bot-0"]
    assert fleet.stopped is not None


def test_a_canary_proves_the_change_anew_to_a_restarted_operator_and_the_others_follow() -> None:
    fleet = Fleet.of(12).run(12).restart()
    assert fleet.run(10).changed == ["bot-0"]
    assert fleet.run(80).running("new") == list(fleet.rows)


def test_a_corrected_configuration_goes_to_the_broken_canary_first_though_the_operator_was_restarted_with_it() -> None:
    fleet = Fleet.of(6, bad=frozenset({"new"})).run(30)
    fleet.want("better")
    assert fleet.restart().run(10).changed == ["bot-0", "bot-0"]
    assert fleet.run(60).running("better") == list(fleet.rows)


def test_as_many_broken_bots_as_may_be_down_stop_the_rest_under_a_restarted_operator_too() -> None:
    fleet = Fleet.of(20, policy=policy(rollout_canaries=0), bad=frozenset({"new"})).run(30)
    before = fleet.stopped
    assert fleet.restart().run(100).changed == ["bot-0", "bot-1"]
    assert fleet.stopped == before is not None


def test_a_bot_that_was_broken_before_a_change_stops_nothing_after_a_restart() -> None:
    fleet = Fleet.of(6, policy=policy(rollout_max_unavailable=1)).run(1)
    fleet.rows["bot-3"] = replace(fleet.rows["bot-3"], running_hash="new", ready=False, trouble="unschedulable")
    assert fleet.restart().run(60).running("new") == list(fleet.rows)
    assert fleet.stopped is None


def test_who_was_a_canary_is_none_any_more_once_all_have_the_change() -> None:
    fleet = Fleet.of(4)
    assert fleet.run(12).rows["bot-0"].canary
    assert not any(row.canary for row in fleet.run(60).rows.values())
    assert {slots.canary for slots in fleet.turn().slots.values()} == {None}


def test_one_edited_market_that_broke_is_no_canary_of_a_later_change_though_the_operator_was_restarted() -> None:
    fleet = Fleet.of(5, wanted="old", bad=frozenset({"mine"}))
    fleet.want("mine", "bot-3")
    fleet.run(30).restart()
    fleet.want("new", "bot-0", "bot-1", "bot-2", "bot-4")
    assert fleet.run(60).running("new") == ["bot-0", "bot-1", "bot-2", "bot-4"]


configurations = st.sampled_from(("old", "new", None))


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    """Fleets with some bots missing, some outdated, some down, under any limits."""
    limits = policy(
        creations_per_second=draw(st.sampled_from((Decimal("0.5"), Decimal(2), Decimal(50)))),
        max_pending=draw(st.integers(1, 6)),
        rollout_max_unavailable=draw(st.integers(1, 4)),
        rollout_canaries=draw(st.integers(0, 3)),
        rollout_canary_s=draw(st.sampled_from((0.0, 5.0))),
    )
    rows = {}
    for number in range(draw(st.integers(0, 12))):
        running = draw(configurations)
        row = Row(name=f"bot-{number}", created_s=draw(st.sampled_from((0.0, 1.0))), desired_hash="new", running_hash=running)
        rows[row.name] = replace(row, ready=running is not None)
    return Fleet(rows, policy=limits, starts_in_s=draw(st.integers(1, 4)))


@settings(max_examples=60, deadline=None)
@given(fleets())
def test_everybody_gets_there_and_never_more_at_once_than_may(fleet: Fleet) -> None:
    outdated = sum(row.outdated for row in fleet.rows.values())
    fleet.run(200)
    assert all(row.up for row in fleet.rows.values())
    assert len(fleet.changed) == outdated, "nobody twice"
    assert fleet.most_starting <= fleet.policy.max_pending + fleet.policy.rollout_max_unavailable
    rate = fleet.policy.creations_per_second
    for first in range(0, 200, 20):
        assert sum(fleet.made_in[first : first + 20]) <= 20 * rate + max(rate, 1)


@settings(max_examples=60, deadline=None)
@given(fleets().filter(lambda fleet: fleet.policy.rollout_canaries > 0), st.data())
def test_a_bad_configuration_never_gets_beyond_the_canaries(fleet: Fleet, data: st.DataObject) -> None:
    fleet.bad = frozenset({"worse"})
    fleet.policy = policy(**{**fleet.policy.model_dump(), "max_pending": 6, "rollout_canary_s": 5.0})
    rows = {name: replace(row, running_hash="new", ready=True) for name, row in fleet.rows.items()}
    fleet.rows = rows
    fleet.run(data.draw(st.integers(0, 5)))
    fleet.want("worse")
    fleet.run(100)
    broken = fleet.running("worse")
    assert len(broken) <= fleet.policy.rollout_canaries
    assert (fleet.stopped is not None) == (len(broken) < len(rows) and bool(broken))


@settings(max_examples=30, deadline=None)
@given(fleets())
def test_the_same_fleet_gets_the_same_turns_in_whatever_order_it_is_shown(fleet: Fleet) -> None:
    shown = allot(fleet.rows.values(), fleet.memory, fleet.policy, 0.0)
    assert allot(reversed(list(fleet.rows.values())), fleet.memory, fleet.policy, 0.0) == shown
