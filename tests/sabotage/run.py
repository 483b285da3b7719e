#!/usr/bin/env python3
"""Proves that the tests find bugs: turns on one seeded bug after the other and reports which layer notices.

The bugs are the pairs in bugs/. plant.py makes a copy of the sources with all of them; this runs what was built there.
`scripts/test sabotage` does all three.
"""

import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import re
import resource
import subprocess
import sys
import time

import catalogue
import plant
from catalogue import Bug

ROOT = pathlib.Path(__file__).resolve().parents[2]
UNIT_SECONDS = 30
FIRST_SEED = 1
# A bug may well be that something grows without bound.
MEMORY_BYTES = 4 << 30


def run(command: list[str], bug: str, seconds: float) -> tuple[int | None, str]:
    """Exit status (None: it did not end in time) and output."""
    if not os.access(command[0], os.X_OK):
        sys.exit(f"error: {command[0]} is not built. scripts/test sabotage builds all that is needed.")

    def limit_memory() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    process = subprocess.Popen(
        command,
        env={**os.environ, "CULVERT_SABOTAGE": bug},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        preexec_fn=limit_memory,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        status = None
    return status, output


def run_unit_tests(build: pathlib.Path, folder: str, bug: str, tests: str = "*") -> tuple[str, str]:
    """Which of the tests (a filter of GoogleTest) failed ("": none), and the output."""
    command = [str(build / f"test/{folder}_test"), "--gtest_fail_fast", f"--gtest_filter={tests}"]
    status, output = run(command, bug, UNIT_SECONDS)
    if status == 0:
        return "", output
    failed = re.findall(r"^\[  FAILED  \] (\S+\.[^\s,]+)", output, re.MULTILINE)
    if failed:
        return failed[0], output
    started = re.findall(r"^\[ RUN      \] (\S+)", output, re.MULTILINE)
    return f"{started[-1] if started else folder} ({how_it_ended(status)})", output


def run_simulator(build: pathlib.Path, bug: str, cases: int, seconds: float) -> tuple[str, str]:
    """Which invariant was violated ("": none) in which case, and the output."""
    command = [str(build / "bin/culvert-simulate"), "--no-shrink"]
    for folder in ("scripts", "corpus"):
        if (ROOT / "tests/model" / folder).is_dir():
            command += ["--file", str(ROOT / "tests/model" / folder)]
    command += ["--seed", str(FIRST_SEED), "--cases", str(cases), "--minutes", f"{seconds / 60:.4f}"]
    # A failing case runs twice: its report needs another run.
    status, output = run(command, bug, 3 * seconds)
    violation = re.search(r"^FAILED: (?:--)?(.+)\n  t=\S+ (\S+):", output, re.MULTILINE)
    if violation:
        return f"{violation[2]}, {pathlib.PurePath(violation[1]).name}", output
    if status in (0, 1):  # 1 without a violation: too few cases to exercise everything
        return "", output
    return how_it_ended(status), output


def how_it_ended(status: int | None) -> str:
    return "hangs" if status is None else "crashes"


@dataclasses.dataclass
class Report:
    bug: Bug
    unit: str = ""
    model: str = ""
    is_model_run: bool = False

    def is_missed(self) -> bool:
        return not self.unit and not self.model


def tests_beside(file: str) -> str:
    """The tests in the sources whose names begin with that of the file, as a filter; empty if there are none."""
    source = ROOT / file
    tests = [
        f"*{suite}.{name}*"
        for path in sorted(source.parent.glob(f"{source.stem}*_test.cpp"))
        for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+), (\w+)\)", path.read_text(), re.MULTILINE)
    ]
    return ":".join(tests)


def try_bug(bug: Bug, options: argparse.Namespace) -> Report:
    report = Report(bug)
    beside = tests_beside(bug.file)
    # Most are found by the tests beside the file, which take a moment.
    tries = [(folder, beside) for folder in bug.tests[:1] if beside] + [(folder, "*") for folder in bug.tests]
    for folder, tests in tries:
        report.unit, _ = run_unit_tests(options.build, folder, bug.name, tests)
        if report.unit:
            break
    if options.cases > 0 and not (report.unit and options.first_only):
        report.model, _ = run_simulator(options.build, bug.name, options.cases, options.seconds)
        report.is_model_run = True
    return report


def check_without_bugs(bugs: list[Bug], options: argparse.Namespace) -> bool:
    """Tests that fail anyway would find every bug. Leaves out the random cases from the first one on that does."""
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        folders = folders_of(bugs)
        for folder, (found, output) in zip(folders, pool.map(lambda f: run_unit_tests(options.build, f, ""), folders)):
            if found:
                print(output[-4000:])
                sys.exit(f"error: {folder}_test fails without any seeded bug: {found}")
    if options.cases == 0:
        return True
    found, output = run_simulator(options.build, "", options.cases, options.seconds)
    if not found:
        return True
    seed = re.fullmatch(r".*, seed (\d+)", found)
    if not seed or int(seed[1]) == FIRST_SEED:
        print(output[-4000:])
        sys.exit(f"error: the simulator fails without any seeded bug: {found}. See scripts/test model.")
    options.cases = int(seed[1]) - FIRST_SEED
    print(f"FAILED: the simulator, without any seeded bug: {found}. Using the {options.cases} cases before it.", flush=True)
    return False


def folders_of(bugs: list[Bug]) -> list[str]:
    return sorted({folder for bug in bugs for folder in bug.tests})


def print_table(reports: list[Report]) -> None:
    lines = [("bug", "rows", "found by unit test", "found by simulator")]
    for report in reports:
        model = report.model or ("-" if report.is_model_run else "not run")
        lines.append((report.bug.name, report.bug.rows, report.unit or "-", model))
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    print()
    for *cells, last in lines:
        print(*(f"{cell:{width}}" for cell, width in zip(cells, widths)), last, sep="  ")
    print()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--copy", type=pathlib.Path, default=ROOT / "build/sabotage", help="where plant.py made its copy")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="bugs tried at the same time")
    parser.add_argument("--only", nargs="+", metavar="BUG", help="try these instead of all")
    parser.add_argument("--first-only", action="store_true", help="do not simulate what a unit test found")
    parser.add_argument("--cases", type=int, default=150, help="cases to simulate for each (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=20, help="limit on the time for that (default: %(default)s)")
    parser.add_argument("--targets", action="store_true", help="print what has to be built, and stop")
    options = parser.parse_args()

    bugs = catalogue.read_bugs()
    if options.targets:
        print(*(f"{folder}_test" for folder in folders_of(bugs)), "culvert-simulate")
        return 0
    if options.only:
        unknown = set(options.only) - {bug.name for bug in bugs}
        if unknown:
            parser.error(f"no such bug: {', '.join(sorted(unknown))}")
        bugs = [bug for bug in bugs if bug.name in options.only]

    if not plant.is_current(options.copy):
        sys.exit(f"error: {options.copy} was made of other sources or pairs. scripts/test sabotage makes and builds it anew.")

    started = time.monotonic()
    options.build = options.copy / "build/release"
    is_sound = check_without_bugs(bugs, options)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        reports = list(pool.map(lambda bug: try_bug(bug, options), bugs))
    print_table(reports)
    missed = [report for report in reports if report.is_missed()]
    for report in missed:
        print(f"MISSED: {report.bug.name}: {report.bug.goes_wrong}")
    by_unit = sum(bool(report.unit) for report in reports)
    by_model = sum(bool(report.model) for report in reports)
    print(f"{len(reports)} seeded bugs in {time.monotonic() - started:.0f} s: {by_unit} found by unit tests, "
          f"{by_model} by the simulator")
    print(f"{len(reports) - len(missed)} found, {len(missed)} missed")
    return 1 if missed or not is_sound else 0


if __name__ == "__main__":
    sys.exit(main())
