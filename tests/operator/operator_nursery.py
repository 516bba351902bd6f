"""A process that has the operator loaded, and splits one off for each line it reads: started by `crash_rig.py`, never imported.

A line holds the operator's environment and log as JSON. It answers with the number of the process, and when that has ended, with how.
"""

import json
import os
import sys

from kabobagool_operator import main as loaded
from kabobagool_operator.cli import main


def become_an_operator(log: str, environment: dict[str, str]) -> None:
    """Forget where this process came from."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (file, 1), (file, 2)):
        os.dup2(ours, theirs)
    os.environ.clear()
    os.environ.update(environment)
    main(["run"])


assert loaded.serve
for line in sys.stdin:
    order = json.loads(line)
    pid = os.fork()
    if not pid:
        try:
            become_an_operator(**order)
        finally:
            os._exit(1)
    print(pid, flush=True)
    _, status = os.waitpid(pid, 0)
    print(f"ended by {os.WTERMSIG(status)}" if os.WIFSIGNALED(status) else f"ended with {os.WEXITSTATUS(status)}", flush=True)
