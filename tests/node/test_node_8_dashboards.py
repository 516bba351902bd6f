"""What the Grafana dashboards show after all that the other tests did to the fleet: no panel is empty. Pictures go to build/dashboards."""

import time
from pathlib import Path

from tests.monitoring.board_answers import Window, answers
from tests.monitoring.draw_dashboards import draw
from tests.monitoring.prometheus_rig import Prometheus
from tests.monitoring.rule_files import DASHBOARDS
from tests.node.fleet import Fleet
from tests.node.patience import until
from tests.node.release import PINNED
from tests.node.steps import Steps

PICTURES = Path(__file__).parents[2] / "build" / "dashboards"
CHOSEN = {"market": PINNED, "mode": "paper"}
ONLY_OF_HYDRA = {"fleet: Restarts, 1 h", "fleet: Not chosen"}
"""In a cluster Kubernetes restarts bots, and the log of discovery says what it left out."""
ONLY_IN_TROUBLE = {"operator: Why bots are not ready", "operator: What is wrong"}
"""After all tests there was some; after this one alone there may have been none."""
LEAST_S = 150.0
"""A rate wants a minute, and the test may run alone."""


def test_no_panel_of_a_dashboard_is_empty(fleet: Fleet, prometheus: Prometheus, steps: Steps) -> None:
    until("there is something to show", lambda: time.time() - prometheus.began, lambda seconds: seconds > LEAST_S)
    shown = Window(prometheus.began, time.time())
    with steps.timed("dashboards over the whole run") as step:
        draw(PICTURES, prometheus.api, shown, **CHOSEN)
        step.note("pictures in build/dashboards")
    panels = {
        f"{board.stem}: {each.panel['title']}": each for board in DASHBOARDS for each in answers(board, prometheus.api, shown, **CHOSEN)
    }
    empty = {name for name, panel in panels.items() if panel.is_empty}
    assert ONLY_OF_HYDRA <= empty <= ONLY_OF_HYDRA | ONLY_IN_TROUBLE
