#!/usr/bin/env python3
"""lengths.py SOURCE: no file of C has more than 700 lines, and no function more than 80. There is no
exemption. Prints TAP."""

import pathlib
import sys

FILE_MAX, FUNCTION_MAX = 700, 80


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
    long_files, long_functions = [], []
    for path in files:
        name = str(path.relative_to(source))
        lines = path.read_text().splitlines()
        if len(lines) > FILE_MAX:
            long_files.append(f"{name}: {len(lines)} lines")
        for start, length in functions(lines):
            if length > FUNCTION_MAX:
                long_functions.append(f"{name}:{start}: {length} lines")
    checks = [
        (f"no file of {len(files)} is longer than {FILE_MAX} lines", long_files),
        (f"no function is longer than {FUNCTION_MAX} lines", long_functions),
    ]
    for number, (what, bad) in enumerate(checks, 1):
        print(f"{'not ok' if bad else 'ok'} {number} - {what}")
        for line in bad:
            print("# " + line)
    print(f"1..{len(checks)}")


main()
