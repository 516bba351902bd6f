"""The log as its readers get it: real lines out of a real pipeline."""

import io
import json
import logging
import re
import subprocess
import sys
import threading
import time
import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kabobagool.telemetry.logs import QUEUE_LENGTH, LogPipeline

SECRET = "Tr0ub4dor&3"
LOG = logging.getLogger("kabobagool.test")


def lines_of(*, style: Any = "json", level: str = "INFO", secrets: tuple[str, ...] = (SECRET,), then: Any) -> list[str]:
    stream = io.StringIO()
    with LogPipeline(level=level, style=style, secrets=secrets, stream=stream):
        then()
    return stream.getvalue().splitlines()


def entry(then: Any) -> dict[str, Any]:
    (line,) = lines_of(then=then)
    return dict(json.loads(line))


def fail(text: str) -> None:
    raise ValueError(text)


def log_failure(text: str) -> None:
    try:
        fail(text)
    except ValueError:
        LOG.exception("it failed")


def test_a_line_is_one_json_object_with_the_calls_extras() -> None:
    logged = entry(lambda: LOG.warning("sent %s of %d", "YES", 5, extra={"order": {"price": 0.48}, "legs": ("yes", "no")}))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", logged.pop("time"))
    assert logged == {
        "level": "WARNING",
        "logger": "kabobagool.test",
        "message": "sent YES of 5",
        "order": {"price": 0.48},
        "legs": ["yes", "no"],
    }


def test_a_line_for_people_carries_the_same() -> None:
    (line,) = lines_of(style="text", then=lambda: LOG.info("sent", extra={"shares": 5}))
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3} INFO     test: sent  shares=5", line)


def test_what_is_below_the_level_is_not_written_and_websockets_have_their_own() -> None:
    def log() -> None:
        LOG.debug("no")
        LOG.info("yes")
        logging.getLogger("websockets.client").info("no")
        logging.getLogger("websockets.client").warning("yes")

    assert [json.loads(line)["message"] for line in lines_of(then=log)] == ["yes", "yes"]


def test_a_traceback_is_written_with_its_secret_masked() -> None:
    logged = entry(lambda: log_failure(f"cannot sign with {SECRET}"))
    assert "ValueError: cannot sign with ***" in logged["exception"]
    assert "Traceback" in logged["exception"]


TEXT = st.text(alphabet="-,;:() é\n", max_size=15)


@given(
    before=TEXT,
    after=TEXT,
    secret=st.text(alphabet="abcXYZ789+/=\"'\\§", min_size=4).filter(lambda s: len(set(s)) > 2),
    style=st.sampled_from(["json", "text"]),
)
def test_no_secret_is_written_wherever_a_call_puts_it(before: str, after: str, secret: str, style: str) -> None:
    text = before + secret + after

    def log() -> None:
        LOG.info(text.replace("%", ""))
        LOG.info("%s and %r", text, {"nested": [text]})
        LOG.info("extra", extra={"plain": text, "nested": {"list": [text, Exception(text)]}})
        LOG.info("where", stack_info=True)
        log_failure(text)

    written = lines_of(style=style, secrets=(secret,), then=log)
    texts = "\n".join(written)
    if style == "json":
        texts = "\n".join(str(value) for line in written for value in json.loads(line).values())
    assert secret not in texts
    assert texts.count("***") >= 6


def test_other_handlers_still_get_the_record_as_it_was_logged(caplog: pytest.LogCaptureFixture) -> None:
    stream = io.StringIO()
    with LogPipeline(secrets=(SECRET,), stream=stream):
        LOG.addHandler(caplog.handler)
        try:
            LOG.error("%s", SECRET)
        finally:
            LOG.removeHandler(caplog.handler)
    assert caplog.records[0].args == (SECRET,)
    assert SECRET not in stream.getvalue()


def test_a_call_with_wrong_arguments_is_still_logged_and_shows_no_secret(capsys: pytest.CaptureFixture[str]) -> None:
    logged = entry(lambda: LOG.info("%d of " + SECRET, SECRET))
    assert logged["message"] == "%d of *** (its arguments could not be written: TypeError)"
    assert SECRET not in capsys.readouterr().err


def test_an_extra_cannot_pretend_to_be_another_level_or_time() -> None:
    logged = entry(lambda: LOG.info("real", extra={"level": "forged", "time": "never", "logger": "forged"}))
    assert (logged["level"], logged["logger"]) == ("INFO", "kabobagool.test")
    assert logged["time"] != "never"


def test_a_line_break_in_a_message_does_not_forge_a_json_line() -> None:
    assert len(lines_of(then=lambda: LOG.info('a\n{"level": "INFO"}'))) == 1


def test_warnings_of_python_are_logged() -> None:
    logged = entry(lambda: warnings.warn(f"old {SECRET}", UserWarning, stacklevel=1))
    assert logged["level"] == "WARNING"
    assert "old ***" in logged["message"]


class StuckStream(io.StringIO):
    """A standard error nobody reads: the first write waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def write(self, text: str) -> int:
        self.let_go.wait(10)
        return super().write(text)


def test_a_reader_that_stopped_reading_costs_lines_and_never_time() -> None:
    stream = StuckStream()
    pipeline = LogPipeline(stream=stream).start()
    try:
        started = time.monotonic()
        for number in range(QUEUE_LENGTH + 500):
            LOG.info("tick %d", number)
        took_s = time.monotonic() - started
        assert pipeline.dropped >= 400
    finally:
        stream.let_go.set()
        pipeline.stop()
    assert took_s < 5
    assert f"tick {QUEUE_LENGTH - 1}" in stream.getvalue()


def test_a_reader_that_never_comes_back_does_not_keep_the_process_from_ending() -> None:
    stream = StuckStream()
    pipeline = LogPipeline(stream=stream, flush_timeout_s=0.05).start()
    for _ in range(QUEUE_LENGTH + 10):
        LOG.info("tick")
    started = time.monotonic()
    pipeline.stop()
    assert time.monotonic() - started < 2
    stream.let_go.set()


def test_what_was_there_before_is_there_again_afterwards() -> None:
    root, hook = logging.getLogger(), sys.excepthook
    before = (root.handlers[:], root.level, logging.getLogger("websockets").level)
    pipeline = LogPipeline(level="DEBUG", stream=io.StringIO()).start()
    assert root.level == logging.DEBUG
    pipeline.stop()
    pipeline.stop()
    assert (root.handlers[:], root.level, logging.getLogger("websockets").level) == before
    assert sys.excepthook is hook


def test_an_error_that_ends_the_process_is_logged_masked_on_standard_error() -> None:
    program = f"""
import atexit
from kabobagool.telemetry.logs import LogPipeline
pipeline = LogPipeline(secrets=[{SECRET!r}]).start()
atexit.register(pipeline.stop)
raise RuntimeError("lost " + "".join(["Tr0ub4", "dor&3"]))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 1
    logged = json.loads(ended.stderr.splitlines()[0])
    assert logged["level"] == "CRITICAL"
    assert "RuntimeError: lost ***" in logged["exception"]
    assert SECRET not in ended.stderr
