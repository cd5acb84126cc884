#!/usr/bin/env python3
"""lengths.py SOURCE: no file of C has more than 700 lines, and no function more than 80. Files that
had more when this test was written are named below: they may only get shorter, and a name whose
file is short enough by now has to go. Prints TAP."""

import pathlib
import sys

FILE_MAX, FUNCTION_MAX = 700, 80
LONG = {
    "sim/machine/file_calls.c": 750,
    "tests/bench/bench.c": 880,
    "tests/kernel/backend_model.c": 748,
}


def functions(lines):
    """Each function's first line and how many lines its body has."""
    start = None
    for number, line in enumerate(lines):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield start, number - start - 1
            start = None


def main():
    source = pathlib.Path(sys.argv[1])
    files = sorted(
        path
        for folder in ("service", "sim", "tests", "examples")
        for path in (source / folder).rglob("*.[ch]")
    )
    long_files, long_functions, stale = [], [], []
    for path in files:
        name = str(path.relative_to(source))
        lines = path.read_text().splitlines()
        if len(lines) > LONG.get(name, FILE_MAX):
            long_files.append(f"{name}: {len(lines)} lines")
        if name in LONG and len(lines) <= FILE_MAX:
            stale.append(name)
        for start, length in functions(lines):
            if length > FUNCTION_MAX:
                long_functions.append(f"{name}:{start}: {length} lines")
    stale += [name for name in LONG if not (source / name).exists()]
    checks = [
        (f"no file of {len(files)} is longer than it may be", long_files),
        (f"no function is longer than {FUNCTION_MAX} lines", long_functions),
        ("each file that may be longer is", stale),
    ]
    for number, (what, bad) in enumerate(checks, 1):
        print(f"{'not ok' if bad else 'ok'} {number} - {what}")
        for line in bad:
            print("# " + line)
    print(f"1..{len(checks)}")


main()
