"""The arithmetic of fair shares, and the line that waiters stand in: what must hold with any number of markets."""

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.gate.gate_rig import SECOND

from kabobagool.gate.interface import Priority
from kabobagool.gate.standing import KEPT_SLOTS, KEPT_US, Standing
from kabobagool.gate.waiting_line import SLACK, Waiter, WaitingLine


def serve(standing: Standing, market: str, cost: int = 1, now_us: int = 0) -> None:
    standing.served(market, standing.place(market, now_us), cost, now_us)


def test_the_market_that_was_served_least_stands_first_and_equals_stand_as_they_came() -> None:
    standing = Standing()
    serve(standing, "a", cost=2)
    serve(standing, "b")
    places = {market: standing.place(market, 0) for market in ("a", "b", "d", "c")}
    assert sorted(places, key=lambda market: places[market]) == ["d", "c", "b", "a"]


def test_a_newcomer_starts_where_the_others_are() -> None:
    standing = Standing()
    for _ in range(100):
        serve(standing, "a")
    newcomer, old = standing.place("new", 0), standing.place("a", 0)
    assert old.tag - newcomer.tag == 1


def test_an_unserved_market_keeps_its_place_for_a_while_and_catches_up_no_more_than_two_pairs() -> None:
    standing = Standing()
    place = standing.place("unserved", 0)
    standing.not_served("unserved", place, 0)
    serve(standing, "b")
    serve(standing, "b")
    assert standing.place("unserved", KEPT_US) == place
    for _ in range(50):
        serve(standing, "b")
    served_now = standing.place("new", 0).tag
    assert standing.place("unserved", KEPT_US).tag == served_now - KEPT_SLOTS
    assert standing.place("unserved", KEPT_US + 1).tag == served_now


def test_giving_back_restores_the_share() -> None:
    standing = Standing()
    serve(standing, "a")
    serve(standing, "b")
    serve(standing, "a", cost=2)
    standing.give_back("a", 2, 0)
    standing.give_back("never seen", 2, 0)
    assert standing.place("a", 0).tag == standing.place("b", 0).tag


def test_markets_that_come_and_go_for_weeks_are_forgotten() -> None:
    standing = Standing()
    for n in range(10_000):
        now_us = n * SECOND
        standing.not_served(f"refused {n}", standing.place(f"refused {n}", now_us), now_us)
        serve(standing, f"served {n}", now_us=now_us)
        serve(standing, "always", now_us=now_us)
    assert len(standing) < 300


@settings(deadline=None)
@given(st.lists(st.integers(1, 3), min_size=2, max_size=12), st.integers(1, 200))
def test_whoever_always_wants_something_gets_the_same_share_of_slots_whatever_one_request_costs(costs: list[int], rounds: int) -> None:
    standing = Standing()
    slots = dict.fromkeys(range(len(costs)), 0)
    places = {n: standing.place(str(n), 0) for n in slots}
    for _ in range(rounds):
        first = min(places, key=lambda n: places[n])
        standing.served(str(first), places[first], costs[first], 0)
        slots[first] += costs[first]
        places[first] = standing.place(str(first), 0)
        assert max(slots.values()) - min(slots.values()) <= max(costs)


def a_waiter(number: int, priority: Priority = Priority.NEW_PAIR, patience_us: int = SECOND) -> Waiter:
    place = Standing().place(f"market {number}", 0)._replace(number=number)
    return Waiter(market=f"market {number}", cost=1, notional=0, priority=priority, place=place, since_us=0, patience_us=patience_us)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from(list(Priority)), st.integers(0, 50)), max_size=200), st.data())
def test_the_line_is_always_in_order_and_nobody_is_lost_in_it(steps: list[tuple[bool, Priority, int]], data: st.DataObject) -> None:
    line, inside, timed = WaitingLine(), set[Waiter](), set[Waiter]()
    for number, (enters, priority, patience_us) in enumerate(steps):
        if enters or not inside:
            waiter = a_waiter(number, priority, patience_us)
            line.enter(waiter)
            inside.add(waiter)
            timed.add(waiter)
        else:
            waiter = data.draw(st.sampled_from(sorted(inside, key=lambda waiter: waiter.place)))
            line.remove(waiter)
            line.remove(waiter)
            inside.discard(waiter)
        assert len(line) == len(inside)
        assert set(line) == inside
        assert line.first() is min(inside, key=lambda waiter: (waiter.priority, waiter.place), default=None)
        now_us = data.draw(st.integers(0, 50))
        late = {waiter for waiter in timed & inside if waiter.deadline_us < now_us}
        assert set(line.out_of_patience(now_us)) == late
        timed -= late
        assert line.next_deadline_us() == min((waiter.deadline_us for waiter in timed & inside), default=None)


def test_those_who_left_from_behind_the_first_take_no_room() -> None:
    line = WaitingLine()
    line.enter(a_waiter(0, Priority.UNWIND, patience_us=1))
    for number in range(1, 5_000):
        waiter = a_waiter(number)
        line.enter(waiter)
        line.remove(waiter)
        assert line.room <= 2 * (2 * len(line) + SLACK)
