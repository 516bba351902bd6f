"""Errors that people can act on, told in a line each instead of a traceback; anything else is a defect and keeps its own.

Used by the commands that run until told to stop: what ends them may come alone or, from a group of tasks, together with others.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def told_plainly(*known: type[Exception]) -> Iterator[None]:
    """Turn errors of these kinds, alone or in a group, into the end of the command with status 1."""
    try:
        yield
    except known as e:
        raise click.ClickException(str(e)) from None
    except BaseExceptionGroup as e:
        told = e.subgroup(known)
        if told is None:
            raise
        raise click.ClickException("; ".join(str(part) for part in told.exceptions)) from None
