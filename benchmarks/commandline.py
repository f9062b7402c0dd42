"""How soon the command line is there, in processor time beside an interpreter that does nothing."""

import resource
import statistics
import subprocess
import sys

from benchmarks.timing import Row

RUNS = 25
BUDGET = 5.0


def rows() -> list[Row]:
    """Compare the help of the command with `python -c pass`, run in turn."""
    return [start("ontogeny --help", "--help")]


def start(name: str, *arguments: str) -> Row:
    """Compare the start of one command with that of the interpreter."""
    ours, theirs = ["-m", "ontogeny", *arguments], ["-c", "pass"]
    pairs = [(processor_seconds(ours), processor_seconds(theirs)) for _ in range(RUNS + 1)][1:]
    mine, peer = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return Row(name, mine, peer, "python -c pass", ratio, f"<= {BUDGET:g} x", ratio <= BUDGET)


def processor_seconds(arguments: list[str]) -> float:
    """Return the user and system time of one process of this interpreter."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
