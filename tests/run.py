#!/usr/bin/env python3
"""Runs everything that proves the project, side by side where the cores allow, and counts it.

A job is a command with a log of its own under .cache/tests. What pytest says inside it (molecule's verifier included)
is added up; the job itself counts as one test more. A skip must stand in tests/allowed_skips.txt with its reason.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
LOGS = ROOT / ".cache" / "tests"
SUMMARY = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")
# A reason has to be short: molecule shows each line as an entry of a list, quoted, and breaks it after 80 characters.
SKIP = re.compile(r"(?m)SKIPPED \[\d+\] (\S+?):(?:\d+:)? (.*?)['\"]?$")
FAILURE = re.compile(r"^\s*(?:- )?['\"]?(?:FAILED|ERROR) (\S+::.*)")  # molecule shows it as an entry of a list
# What a failed test says of its failure; of a playbook's whole output, the lines that matter.
SAID = re.compile(r"^\s*(?:- )?['\"]?E {2,}(.*\S)")
MATTERS = re.compile(
    r"fatal|error|assert|\bmsg\b|failed(?!=0)|refused|not allowed|timeout|timed out|Unexpected|differ", re.IGNORECASE
)
SAID_LINES = 12
TAIL = 40
STOP_SECONDS = 10
# The jobs' processes now, each with a group of its own.
RUNNING: set[subprocess.Popen[bytes]] = set()
WIDTH = 200


@dataclass(frozen=True)
class Job:
    """One command of the plan; `cores` is how many processors it keeps busy: less than one when it mostly waits."""

    name: str
    command: list[str]
    minutes: float = 1
    cores: float = 1
    timeout: float = 25
    environment: dict[str, str] = field(default_factory=dict)
    directory: Path = ROOT


@dataclass(frozen=True)
class Outcome:
    """What became of a job."""

    job: Job
    ok: bool
    seconds: float
    counts: dict[str, int]
    skips: list[str]
    failures: list[str]
    said: list[str]
    log: Path


def plan(path: Path, part: str) -> list[Job]:
    """The jobs of a part, from tests/jobs.yml: the longest first, so that the end is not one job on one core.

    Raises SystemExit when the part does not exist.
    """
    parts = yaml.safe_load(path.read_text(encoding="utf-8"))
    if part not in parts:
        raise SystemExit(f"run: part {part!r} does not exist; allowed: {', '.join(sorted(parts))}")
    jobs = [
        Job(
            name=entry["name"],
            command=["bash", "-c", entry["run"]],
            minutes=entry.get("minutes", 1),
            cores=entry.get("cores", 1),
            timeout=entry.get("timeout", 25),
            environment={key: str(value) for key, value in entry.get("environment", {}).items()},
            directory=ROOT / entry.get("directory", "."),
        )
        for entry in parts[part]
    ]
    return sorted(jobs, key=lambda job: -job.minutes)


def count(text: str) -> dict[str, int]:
    """Add up every closing line of pytest in a log."""
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for line in text.splitlines():
        if " in " not in line or not re.search(r"\d+ (passed|failed|skipped|errors?)\b.* in [\d.]+s", line):
            continue
        for number, kind in SUMMARY.findall(line):
            counts["failed" if kind.startswith("error") else kind] += int(number)
    return counts


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a job with all that it started, which would go on with its hosts beside the next one's."""
    for signal in (SIGTERM, SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)


def run(job: Job) -> Outcome:
    """Run a job to its end or its limit, everything it prints into its log."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{job.name.replace('/', '-').replace(' ', '-')}.log"
    start = time.monotonic()
    with log.open("w", encoding="utf-8") as out:
        process = subprocess.Popen(
            job.command,
            cwd=job.directory,
            env={**os.environ, "PY_COLORS": "0", "ANSIBLE_FORCE_COLOR": "0", "NO_COLOR": "1", **job.environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            process_group=0,
        )
        RUNNING.add(process)
        try:
            code = process.wait(job.timeout * 60)
        except subprocess.TimeoutExpired:
            out.write(f"\nrun: stopped after {job.timeout} minutes\n")
            stop(process)
            code = 124
        finally:
            RUNNING.discard(process)
    text = log.read_text(encoding="utf-8", errors="replace")
    counts = count(text)
    skips = [f"{place}: {reason}" for place, reason in SKIP.findall(text)]
    failures = [match[1] for line in text.splitlines() if (match := FAILURE.match(line))]
    said = [match[1] for line in text.splitlines() if (match := SAID.match(line)) and MATTERS.search(match[1])]
    return Outcome(job, code == 0, time.monotonic() - start, counts, skips, failures, said, log)


def run_all(jobs: Sequence[Job], cores: float) -> Iterator[Outcome]:
    """Run jobs side by side, as many as these processors have room for; each outcome as it comes.

    The first that fits is the next; one that alone needs more than there is runs alone.
    """
    waiting, running = list(jobs), dict[Future[Outcome], Job]()
    with ThreadPoolExecutor(max(1, len(jobs))) as pool:
        try:
            while waiting or running:
                for job in list(waiting):
                    if not running or sum(other.cores for other in running.values()) + job.cores <= cores:
                        waiting.remove(job)
                        running[pool.submit(run, job)] = job
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    del running[future]
                    yield future.result()
        finally:  # when a person ends it, too
            for process in list(RUNNING):
                stop(process)


def allowed_skips() -> list[str]:
    """The file's lines: `path: reason`, without comments."""
    lines = (ROOT / "tests" / "allowed_skips.txt").read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def report(outcomes: list[Outcome]) -> int:
    """Print what failed, at last a line for each test, and the closing line; the exit code says whether all is well."""
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    allowed = allowed_skips()
    for outcome in outcomes:
        for kind, number in outcome.counts.items():
            totals[kind] += number
        totals["passed" if outcome.ok else "failed"] += 1
        for skip in outcome.skips:
            if skip not in allowed:
                print(f"not allowed to be skipped (tests/allowed_skips.txt): {skip}")
                totals["failed"] += 1
    for outcome in outcomes:
        if not outcome.ok:
            print(f"\n==> {outcome.job.name} failed; the end of {outcome.log.relative_to(ROOT)}:")
            print("\n".join(outcome.log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:]))
    print()
    for outcome in outcomes:
        if not outcome.ok:
            print(f"failed: {outcome.job.name}")
            print("".join(f"  {failure[:WIDTH]}\n" for failure in outcome.failures), end="")
            print("".join(f"    {line[:WIDTH]}\n" for line in outcome.said[:SAID_LINES]), end="")
    print(f"\n{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped")
    return 1 if totals["failed"] else 0


def main() -> int:
    """Parse the command line, run the plan, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", default="test", help="part of tests/jobs.yml")
    parser.add_argument("--only", default="", help="only jobs whose name begins so")
    parser.add_argument("--cores", type=float, default=max(2, os.cpu_count() or 2), help="processors to keep busy")
    options = parser.parse_args()
    jobs = [job for job in plan(ROOT / "tests" / "jobs.yml", options.part) if job.name.startswith(options.only)]
    print(f"==> tests: {len(jobs)} jobs on {options.cores:g} cores; logs in .cache/tests", flush=True)
    outcomes: list[Outcome] = []
    for outcome in run_all(jobs, options.cores):
        outcomes.append(outcome)
        word = "passed" if outcome.ok else "FAILED"
        print(f"[{len(outcomes):2}/{len(jobs)}] {word} {outcome.job.name} ({outcome.seconds:.0f} s)", flush=True)
    return report(outcomes)


if __name__ == "__main__":
    sys.exit(main())
