"""What the kernel says of a process: its memory and the processor time it has used.

Benchmarks and the soak measure programs from outside with it. Wants Linux; FileNotFoundError when the process is gone.
"""

import os
from pathlib import Path


def status_field(pid: int | str, name: str) -> int:
    """A number of /proc/PID/status, memory in KiB; `pid` may be `self`. KeyError when it has none, as the memory of what has ended."""
    text = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    said = dict(line.split(":", 1) for line in text.splitlines())
    return int(said[name].split()[0])


def cpu_s(pid: int) -> float:
    """User and system time in seconds; the first field after the name is the process's state, the third of `man 5 proc_pid_stat`."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
