import json
import time
from pathlib import Path

import pytest

from tests.bench.__main__ import chosen, main, run
from tests.bench.measure import Benchmark, Figure, Samples, Target, calls, compare, compare_async, each, figure
from tests.bench.report import plain_lines, print_table, shown, summary, write_json


def a_figure(value: float = 3.0, *, target: Target | None = None, group: str = "tick", name: str = "a tick") -> Figure:
    return figure(group, name, Samples((value * 2, value, value / 2)), "us", "a call", Samples((1.0, 2.0, 4.0)), target=target)


def count_to(number: int) -> int:
    return sum(range(number))


def test_a_figure_is_the_median_beside_the_median_of_its_reference_and_keeps_both_minima() -> None:
    found = a_figure(3.0)
    assert (found.value, found.minimum, found.reference_value, found.reference_minimum) == (3.0, 1.5, 2.0, 1.0)
    assert found.ratio == 1.5
    assert found.met is None


def test_the_unit_changes_the_values_and_never_the_ratio() -> None:
    seconds = Samples((0.002, 0.004, 0.003))
    found = figure("g", "n", seconds, "ms", "r", Samples((0.001,)), scale=1e3)
    assert (found.value, found.minimum, found.reference_value) == pytest.approx((3.0, 2.0, 1.0))
    assert found.ratio == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("target", "met", "text"),
    [
        (Target(3.0), True, "<= 3 us"),
        (Target(2.9), False, "<= 2.9 us"),
        (Target(1.5, of_ratio=True), True, "<= 1.5 x"),
        (Target(1.4, of_ratio=True), False, "<= 1.4 x"),
        (Target(3.0, at_least=True), True, ">= 3 us"),
        (Target(1_000_000, at_least=True), False, ">= 1,000,000 us"),
    ],
)
def test_a_target_bounds_the_value_or_the_ratio_from_above_or_below(target: Target, met: bool, text: str) -> None:
    found = a_figure(3.0, target=target)
    assert found.met is met
    assert (found.as_dict()["target"], found.as_dict()["met"]) == (text, met)


def test_candidates_take_turns_and_every_round_begins_with_another_one() -> None:
    order: list[str] = []

    def batch_of(name: str) -> float:
        order.append(name)
        return float(len(order))

    found = compare({name: lambda name=name: batch_of(name) for name in "abc"}, rounds=3)  # type: ignore[misc]
    assert "".join(order) == "abcbcacab"
    assert found["a"].values == (1.0, 6.0, 8.0)


async def test_awaited_candidates_take_turns_too() -> None:
    order: list[str] = []

    async def first() -> float:
        order.append("a")
        return 1.0

    async def second() -> float:
        order.append("b")
        return 2.0

    found = await compare_async({"a": first, "b": second}, rounds=2)
    assert "".join(order) == "abba"
    assert found["b"].median == 2.0


def test_more_work_costs_more_and_in_proportion() -> None:
    found = compare({"little": calls(count_to, 1_000, batch_s=0.001), "much": calls(count_to, 8_000, batch_s=0.001)}, rounds=9)
    assert 4 < found["much"].median / found["little"].median < 16


def test_a_call_without_arguments_can_be_measured() -> None:
    assert 0 < calls(dict, batch_s=0.0005)() < 0.001


def test_items_are_charged_one_by_one_and_not_by_the_pass() -> None:
    few, many = each(count_to, [1_000] * 4, batch_s=0.001), each(count_to, [1_000] * 64, batch_s=0.001)
    found = compare({"few": few, "many": many}, rounds=9)
    assert 0.5 < found["few"].median / found["many"].median < 2


def test_waiting_is_not_charged_to_synchronous_work() -> None:
    assert calls(time.sleep, 0.005, batch_s=0.0001)() < 0.004


@pytest.mark.parametrize(
    ("value", "text"), [(0.0512, "0.0512"), (1.234, "1.23"), (45.61, "45.6"), (456.1, "456"), (1_234_567.8, "1,234,568"), (999.7, "1,000")]
)
def test_three_digits_are_shown(value: float, text: str) -> None:
    assert shown(value) == text


def test_the_table_has_a_heading_for_each_group_and_marks_what_was_missed() -> None:
    figures = [a_figure(target=Target(1.0)), a_figure(name="another", target=Target(5.0)), a_figure(group="socket")]
    lines = plain_lines(figures)
    assert [line for line in lines if line in ("tick", "socket")] == ["tick", "socket"]
    assert [line.split()[-1] for line in lines if "us" in line] == ["MISSED", "met", "x"]


def test_what_was_missed_is_named_with_its_distance() -> None:
    far = a_figure(3.0, name="b", target=Target(1.2, of_ratio=True))
    text = summary([a_figure(3.0, target=Target(1.0)), far, a_figure(target=Target(9))])
    assert text.splitlines() == [
        "1 of 3 targets met",
        "  missed: a tick: 3.00 us is 3.00 times the target of 1.00",
        "  missed: b: 1.50 x the reference is 1.25 times the target of 1.20",
    ]


def test_output_to_a_pipe_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([a_figure()])
    printed = capsys.readouterr().out
    assert "\x1b" not in printed
    assert "a tick" in printed


def test_the_file_is_a_list_of_figures_and_a_target_only_where_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    write_json([a_figure(), a_figure(target=Target(1.0))], path)
    plain, aimed = json.loads(path.read_text())
    assert plain == {
        "group": "tick",
        "name": "a tick",
        "value": 3.0,
        "unit": "us",
        "min": 1.5,
        "reference": "a call",
        "reference_value": 2.0,
        "reference_min": 1.0,
        "ratio": 1.5,
    }
    assert aimed == plain | {"target": "<= 1 us", "met": False}


def test_groups_are_chosen_by_a_part_of_their_name() -> None:
    benchmarks = [Benchmark("decision", list), Benchmark("socket to decision", list), Benchmark("order", list)]
    assert [one.group for one in chosen(benchmarks, ["SOCKET", "ord"])] == ["socket to decision", "order"]
    assert chosen(benchmarks, []) == benchmarks


def test_all_chosen_benchmarks_run_in_order() -> None:
    benchmarks = [Benchmark("a", lambda: [a_figure(1.0), a_figure(2.0)]), Benchmark("b", lambda: [a_figure(3.0)])]
    assert [found.value for found in run(benchmarks)] == [1.0, 2.0, 3.0]


def test_an_unknown_group_is_refused_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["weather"]) == 2
    assert "no group contains weather; there are: decision, frame to decision" in capsys.readouterr().out
