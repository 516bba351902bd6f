"""The election's promises in virtual time: at most one writes, somebody leads again soon, and nobody compares two hosts' clocks."""

import asyncio
import random
from collections.abc import AsyncIterator

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.operator.leader_rig import Candidate, Fault, Stage, an_elector

from kabobagool_operator.cluster_errors import Invalid, NotLeading
from kabobagool_operator.leader import Elector, Timings

LEASE_S = 15
DEADLINE_S = 10
TRY_S = 2.4
"""The longest pause between two tries."""


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    stage = Stage()
    yield stage
    await stage.close()


async def leader_and_standby(stage: Stage, **standby: int) -> tuple[Candidate, Candidate]:
    """One that leads and one that waits."""
    first, second = stage.candidate("first"), stage.candidate("second", **standby)
    first.start()
    await stage.advance(1)
    second.start()
    await stage.advance(30)
    assert stage.writers == ["first"]
    return first, second


async def test_of_two_that_start_together_one_leads_and_stays(stage: Stage) -> None:
    for name in ("a", "b"):
        stage.candidate(name).start()
    leader = await stage.until_somebody_leads(within_s=1)
    for _ in range(20):
        await stage.advance(10)
        assert stage.writers == [leader]
    assert stage.lease.record is not None
    assert (stage.lease.record.holder, stage.lease.record.transitions) == (leader, 0)


async def test_a_standby_takes_over_when_the_leader_is_killed_not_before_its_lease_ends_and_soon_after(stage: Stage) -> None:
    first, second = await leader_and_standby(stage)
    await first.crash()
    stage.candidates.remove(first)
    await stage.advance(LEASE_S - TRY_S - 0.2)
    assert stage.writers == []
    assert await stage.until_somebody_leads(within_s=3 * TRY_S) == "second"
    assert second.elector.fence() == 1


async def test_a_leader_that_stops_in_order_hands_over_at_once(stage: Stage) -> None:
    first, second = await leader_and_standby(stage)
    await first.stop()
    assert not first.may_write
    assert stage.lease.record is not None
    assert stage.lease.record.holder == ""
    assert await stage.until_somebody_leads(within_s=TRY_S + 0.1) == "second"
    assert second.elector.fence() == 1


async def test_a_leader_that_is_cut_off_stops_writing_before_anybody_else_may(stage: Stage) -> None:
    first, _ = await leader_and_standby(stage)
    first.line.fault = Fault.REFUSED
    cut_s = stage.clock.monotonic()
    await stage.advance(DEADLINE_S - TRY_S - 0.2)
    assert stage.writers == ["first"]
    await stage.advance(TRY_S + 0.3)
    assert stage.writers == []
    assert first.elector.lost.is_set()
    assert await stage.until_somebody_leads(within_s=LEASE_S) == "second"
    assert stage.clock.monotonic() - cut_s <= LEASE_S + 2 * TRY_S


async def test_a_store_that_never_answers_does_not_keep_a_leader_beyond_its_deadline(stage: Stage) -> None:
    first, _ = await leader_and_standby(stage)
    first.line.fault = Fault.SILENT
    await stage.advance(DEADLINE_S + 0.1)
    assert first.elector.lost.is_set()
    assert await stage.until_somebody_leads(within_s=LEASE_S) == "second"


async def test_a_short_break_changes_nothing(stage: Stage) -> None:
    first, _ = await leader_and_standby(stage)
    for fault in (Fault.REFUSED, Fault.REPLY_LOST):
        first.line.fault = fault
        await stage.advance(DEADLINE_S - 2 * TRY_S - 0.2)
        first.line.fault = None
        await stage.advance(60)
        assert stage.writers == ["first"]
        assert first.elector.fence() == 0


async def test_a_leader_whose_renewals_arrive_while_their_answers_are_lost_gives_up_and_nobody_overtakes_it(stage: Stage) -> None:
    first, _ = await leader_and_standby(stage)
    first.line.fault = Fault.REPLY_LOST
    await stage.advance(DEADLINE_S + 0.1)
    assert first.elector.lost.is_set()
    first.line.fault = None
    assert await stage.until_somebody_leads(within_s=2 * LEASE_S) == "second"


async def test_a_frozen_leader_writes_nothing_when_it_wakes_up_and_ends(stage: Stage) -> None:
    first, _ = await leader_and_standby(stage)
    first.clock.freeze()
    assert await stage.until_somebody_leads(within_s=DEADLINE_S) == "first"
    await stage.advance(60)
    assert stage.writers == ["second"]
    with pytest.raises(NotLeading, match="first"):
        first.elector.fence()
    first.clock.thaw()
    await stage.advance(3)
    assert first.elector.lost.is_set()
    assert stage.writers == ["second"]


@pytest.mark.parametrize(("wall_ms", "origin_s"), [(3_600_000, 0), (-86_400_000, 0), (0, 1e6), (7_200_000, -1e6)])
async def test_clocks_that_disagree_by_hours_change_nothing(stage: Stage, wall_ms: int, origin_s: int) -> None:
    first, _ = await leader_and_standby(stage, wall_ms=wall_ms, origin_s=origin_s)
    await stage.advance(100)
    assert stage.writers == ["first"]
    await first.crash()
    stage.candidates.remove(first)
    await stage.advance(LEASE_S - TRY_S - 0.2)
    assert stage.writers == []
    assert await stage.until_somebody_leads(within_s=3 * TRY_S) == "second"


async def test_somebody_who_edits_the_lease_does_not_depose_the_leader(stage: Stage) -> None:
    await leader_and_standby(stage)
    record = stage.lease.record
    assert record is not None
    stage.lease.put(record)
    await stage.advance(60)
    assert stage.writers == ["first"]


async def test_edits_that_are_no_renewals_do_not_keep_a_dead_leader_in_place(stage: Stage) -> None:
    first, _ = await leader_and_standby(stage)
    await first.crash()
    stage.candidates.remove(first)
    for _ in range(20):
        record = stage.lease.record
        assert record is not None
        if record.holder == "first":
            stage.lease.put(record)
        await stage.advance(1)
    assert stage.writers == ["second"]


async def test_a_lease_that_somebody_deletes_is_made_again_by_its_leader(stage: Stage) -> None:
    await leader_and_standby(stage)
    stage.lease.record = None
    await stage.advance(60)
    assert stage.writers == ["first"]
    assert stage.lease.record is not None


async def test_a_standby_respects_the_leader_of_a_deleted_lease_to_the_end_of_its_time(stage: Stage) -> None:
    first, second = await leader_and_standby(stage)
    first.line.fault = Fault.REFUSED
    stage.lease.record = None
    await stage.advance(DEADLINE_S + 0.1)
    assert stage.writers == []
    assert await stage.until_somebody_leads(within_s=LEASE_S) == "second"
    assert second.elector.fence() == 1


async def test_a_lease_taken_by_force_deposes_the_leader_at_once(stage: Stage) -> None:
    first, _ = await leader_and_standby(stage)
    assert stage.lease.record is not None
    stage.lease.put(msgspec.structs.replace(stage.lease.record, holder="somebody", transitions=7))
    await stage.advance(TRY_S)
    assert first.elector.lost.is_set()
    assert stage.writers == []


async def test_a_first_write_whose_answer_was_lost_is_recognised_as_our_own(stage: Stage) -> None:
    only = stage.candidate("only")
    only.line.fault = Fault.REPLY_LOST
    only.start()
    await stage.advance(5)
    assert stage.writers == []
    only.line.fault = None
    assert await stage.until_somebody_leads(within_s=TRY_S + 0.1) == "only"


async def test_a_candidate_waits_for_as_long_as_the_store_fails_and_says_so_once(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    only = stage.candidate("only")
    only.line.fault = Fault.REFUSED
    only.start()
    await stage.advance(600)
    assert only.elector.contact_age_s is None
    assert [record.getMessage() for record in caplog.records] == ["the Lease is out of reach"]
    only.line.fault = None
    await stage.until_somebody_leads(within_s=TRY_S + 0.1)


async def test_a_refused_renewal_is_tried_again_until_the_deadline(stage: Stage) -> None:
    first, _ = await leader_and_standby(stage)

    async def refuse() -> None:
        raise Invalid("spec.renewTime: Invalid value")

    first.line.on_write = refuse
    await stage.advance(DEADLINE_S - TRY_S - 0.2)
    assert stage.writers == ["first"]
    first.line.on_write = None
    await stage.advance(TRY_S)
    assert stage.writers == ["first"]
    first.line.on_write = refuse
    await stage.advance(DEADLINE_S + 0.1)
    assert first.elector.lost.is_set()


async def test_an_election_that_took_longer_than_the_deadline_is_not_believed(stage: Stage) -> None:
    only = stage.candidate("only")

    async def take_long() -> None:
        only.line.on_write = None
        await stage.clock.sleep(DEADLINE_S + 1)

    only.line.on_write = take_long
    only.start()
    await stage.advance(DEADLINE_S + 1.1)
    assert stage.writers == []
    assert await stage.until_somebody_leads(within_s=TRY_S + 0.1) == "only"
    assert only.elector.fence() == 0


async def test_a_bug_in_the_store_ends_the_leadership_and_is_told(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    first, _ = await leader_and_standby(stage)

    async def stumble() -> None:
        raise ZeroDivisionError("a bug")

    first.line.on_write = stumble
    await stage.advance(TRY_S)
    assert first.elector.lost.is_set()
    assert "a bug" in caplog.text


async def test_releasing_is_no_error_whatever_came_before(stage: Stage) -> None:
    first, second = await leader_and_standby(stage)
    await second.stop()
    assert stage.lease.record is not None
    assert stage.lease.record.holder == "first"
    await first.crash()
    first.line.fault = Fault.REFUSED
    await first.elector.release()
    assert not first.may_write


async def test_a_leader_that_stops_after_a_renewal_whose_answer_was_lost_still_hands_over(stage: Stage) -> None:
    first, _ = await leader_and_standby(stage)
    first.line.fault = Fault.REPLY_LOST
    await stage.advance(TRY_S)
    await first.crash()
    first.line.fault = None
    await first.elector.release()
    assert stage.lease.record is not None
    assert stage.lease.record.holder == ""


async def test_ages_say_how_long_ago_the_last_renewal_was_and_the_store_answered(stage: Stage) -> None:
    first, second = await leader_and_standby(stage)
    assert first.elector.lease_age_s is not None
    assert first.elector.lease_age_s <= TRY_S
    assert second.elector.lease_age_s is None
    second.line.fault = Fault.REFUSED
    await stage.advance(50)
    assert second.elector.contact_age_s is not None
    assert 50 - TRY_S <= second.elector.contact_age_s <= 50 + TRY_S


@pytest.mark.parametrize("timings", [Timings(10, 10), Timings(15, 4, 2), Timings(15, 10, 0)])
async def test_timings_that_could_not_work_are_refused(stage: Stage, timings: Timings) -> None:
    only = stage.candidate("only")
    with pytest.raises(ValueError, match="lease_s must be above"):
        Elector(only.line, identity="x", clock=stage.clock, rng=random.Random(1), timings=timings)


troubles = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from([*Fault, None, "freeze", "thaw"]), st.integers(1, 120)), min_size=1, max_size=12
)


@settings(deadline=None, max_examples=40)
@given(troubles=troubles)
async def test_whatever_breaks_at_most_one_writes_and_in_the_end_somebody_leads(
    troubles: list[tuple[int, Fault | str | None, int]],
) -> None:
    stage = Stage()
    for number in range(3):
        stage.candidate(f"{number}", wall_ms=number * 1_000_000, origin_s=number * 1e4).start()
    for number, trouble, tenths in troubles:
        candidate = stage.candidates[number]
        if trouble == "freeze":
            candidate.clock.freeze()
        elif trouble == "thaw":
            candidate.clock.thaw()
        else:
            assert not isinstance(trouble, str)
            candidate.line.fault = trouble
        await stage.advance(tenths / 10)
    await restart_those_that_lost(stage)
    await stage.until_somebody_leads(within_s=LEASE_S + 2 * TRY_S)
    await stage.close()


async def restart_those_that_lost(stage: Stage) -> None:
    """As Kubernetes does: a process that ended comes back as somebody else."""
    for candidate in stage.candidates:
        candidate.clock.thaw()
        candidate.line.fault = None
        await candidate.crash()
        candidate.elector = an_elector(candidate.line, f"{candidate.name} again", candidate.clock)
        candidate.start()
    await asyncio.sleep(0)
