"""Logging, set up once per process: one line per event, secrets masked, and never a wait on the trading path.

A log call costs the event loop a masked copy of its record on a bounded queue; a thread writes the lines. When nobody reads
standard error, lines are dropped and counted, and orders go on. The `cli` commands open a `LogPipeline`; everybody else uses
`logging.getLogger(__name__)`.
"""

import contextlib
import copy
import json
import logging
import logging.handlers
import queue
import sys
import threading
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Literal, Self, TextIO

from kabobagool.telemetry.redaction import Redactor

QUEUE_LENGTH: Final = 10_000
STANDARD_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message"}
WEBSOCKETS_LOGGER: Final = "websockets"


TALKATIVE = {"httpx": "WARNING", "py_clob_client_v2": "CRITICAL"}
"""Libraries that log every request, or as errors what is normal here (a killed order); what matters of it is logged by us."""


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, the call's extras, exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as JSON; an extra never replaces one of the standard fields."""
        fields = {**_extras(record), "time": _utc(record), "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_text:
            fields["exception"] = record.exc_text
        first = {name: fields[name] for name in ("time", "level", "logger", "message")}
        return json.dumps(first | fields, ensure_ascii=False, default=str)


class ReadableLines(logging.Formatter):
    """A line for people: time (UTC), level, logger, message, extras as key=value; a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record as text."""
        extras = "".join(f"  {name}={value}" for name, value in _extras(record).items())
        name = record.name.removeprefix("kabobagool.")
        line = f"{_utc(record)[11:23]} {record.levelname:<8} {name}: {record.getMessage()}{extras}"
        return f"{line}\n{record.exc_text}" if record.exc_text else line


class MaskingQueueHandler(logging.handlers.QueueHandler):
    """Hands finished, masked copies of records to the writing thread; drops and counts them when the queue is full."""

    def __init__(self, lines: "queue.Queue[Any]", redactor: Redactor) -> None:
        super().__init__(lines)
        self._redactor = redactor
        self.dropped = 0

    def prepare(self, record: logging.LogRecord) -> logging.LogRecord:
        """Copy a record with its texts finished and masked. What the caller passed is not touched, for other handlers may want it."""
        finished = copy.copy(record)
        finished.msg, finished.args = self._redactor.mask(_message(record)), None
        finished.exc_text = self._redactor.mask(_traceback(record)) or None
        finished.exc_info, finished.stack_info = None, None
        for name, value in _extras(record).items():
            setattr(finished, name, self._redactor.mask_value(value))
        return finished

    def enqueue(self, record: logging.LogRecord) -> None:
        """Queue a finished record without ever waiting."""
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped += 1

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the standard library's
        """Count a record that could not be prepared; the standard way prints its arguments unmasked."""
        self.dropped += 1


class LineWriter:
    """The thread that waits for the reader of the log, so that nobody else has to; ended in bounded time, reader or not."""

    def __init__(self, lines: "queue.Queue[Any]", handler: logging.Handler) -> None:
        self._lines = lines
        self._handler = handler
        self._thread = threading.Thread(target=self._write, name="log-writer", daemon=True)

    def start(self) -> None:
        """Begin writing."""
        self._thread.start()

    def stop(self, *, timeout_s: float) -> None:
        """Write what is queued, giving up after about `timeout_s` of a reader that takes nothing."""
        with contextlib.suppress(queue.Full):
            self._lines.put(None, timeout=timeout_s)
            self._thread.join(timeout_s)

    def _write(self) -> None:
        while (record := self._lines.get()) is not None:
            self._handler.handle(record)


class LogPipeline:
    """The process's logging from `with` to the end of its block: root handler, levels, uncaught exceptions. Flushed when it is left.

    `secrets` are masked wherever they appear (see `redaction.settings_secrets`). `dropped` counts records nobody could write.
    """

    def __init__(
        self,
        *,
        level: str = "INFO",
        websockets_level: str = "WARNING",
        style: Literal["json", "text"] = "json",
        secrets: Iterable[str] = (),
        stream: TextIO | None = None,
        flush_timeout_s: float = 5.0,
    ) -> None:
        lines: queue.Queue[Any] = queue.Queue(QUEUE_LENGTH)
        output = logging.StreamHandler(stream or sys.stderr)
        output.setFormatter(JsonLines() if style == "json" else ReadableLines())
        self._handler = MaskingQueueHandler(lines, Redactor(secrets))
        self._writer = LineWriter(lines, output)
        self._flush_timeout_s = flush_timeout_s
        chosen = {"": level, WEBSOCKETS_LOGGER: websockets_level} | TALKATIVE
        self._levels = {logging.getLogger(name): chosen_level for name, chosen_level in chosen.items()}
        self._before: tuple[Any, ...] = ()

    @property
    def dropped(self) -> int:
        """Records lost because the writer could not keep up."""
        return self._handler.dropped

    def start(self) -> Self:
        """Take over the root logger, Python's warnings and uncaught exceptions."""
        root = logging.getLogger()
        self._before = (root.handlers[:], {logger: logger.level for logger in self._levels}, sys.excepthook)
        root.handlers[:] = [self._handler]
        for logger, level in self._levels.items():
            logger.setLevel(level)
        logging.captureWarnings(capture=True)
        sys.excepthook = _log_uncaught
        self._writer.start()
        return self

    def stop(self) -> None:
        """Give the root logger back and write what is queued. Harmless when it is not running; it is not started twice."""
        if not self._before:
            return
        handlers, levels, sys.excepthook = self._before
        self._before = ()
        logging.captureWarnings(capture=False)
        logging.getLogger().handlers[:] = handlers
        for logger, level in levels.items():
            logger.setLevel(level)
        self._writer.stop(timeout_s=self._flush_timeout_s)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("kabobagool").critical("ended by an error nobody handled", exc_info=(kind, error, trace))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as e:
        return f"{record.msg} (its arguments could not be written: {type(e).__name__})"


def _traceback(record: logging.LogRecord) -> str:
    texts = [record.exc_text or "", record.stack_info or ""]
    if record.exc_info and record.exc_info[1] is not None:
        texts[0] = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
    return "\n".join(text for text in texts if text)


def _extras(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in STANDARD_ATTRIBUTES}


def _utc(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
