#!/usr/bin/env python3
"""stairs.py BUILD SOURCE: the core is a staircase. docs/architecture.md lists its files from the
bottom to the top; each calls only those listed before it. No file of a lower room includes a header
of a higher one, and no header includes itself by way of others."""
import pathlib
import re
import subprocess
import sys

build, source = map(pathlib.Path, sys.argv[1:])
core = source / "service/core"
ROOMS = ["vocabulary", "calendar", "model", "rules", ""]
listed = re.findall(r"^\| `((?:\w+/)?\w+)` \|", (source / "docs/architecture.md").read_text(), re.M)
files = {str(path.relative_to(core).with_suffix("")) for path in core.glob("**/*.c")}
order = [name for name in listed if name in files]


def report(number, text, wrong):
    print("not ok" if wrong else "ok", number, "-", text)
    for line in sorted(wrong):
        print("#", line)


def calls_upwards():
    home, needs = {}, {}
    for path in (build / "service/core").glob("*.p/*.c.o"):
        name = path.name.removesuffix(".c.o").replace("_", "/", 1)
        name = name if name in files else name.replace("/", "_")
        needs[name] = set()
        for line in subprocess.run(["nm", path], capture_output=True, text=True).stdout.splitlines():
            *_, kind, symbol = line.split()
            if kind == "U":
                needs[name].add(symbol)
            elif kind in "TDBRV":
                home[symbol] = name
    assert needs.keys() == files, needs.keys() ^ files
    floor = {name: number for number, name in enumerate(order)}
    return {f"{name} calls {symbol}() of {home[symbol]}" for name in needs for symbol in needs[name]
            if symbol in home and floor.get(home[symbol], 0) > floor.get(name, 0)}


includes = {str(path.relative_to(core)): re.findall(r'^#include "core/(.*)"', path.read_text(), re.M)
            for path in core.glob("**/*.[ch]")}


def room(file):
    return ROOMS.index(file.rpartition("/")[0])


def includes_itself(header):
    seen, pending = set(), [header]
    while pending:
        fresh = set(includes.get(pending.pop(), ())) - seen
        seen |= fresh
        pending += fresh
    return header in seen


print("1..4")
report(1, "docs/architecture.md lists every file of the core", files ^ set(order) | {
    f"{name} twice" for name in order if order.count(name) > 1})
report(2, f"each of {len(files)} files calls only those listed before it", calls_upwards())
# The door's own headers may be included anywhere: they are what the core promises, and its record.
report(3, "no lower room includes a header of a higher one", {
    f"{file} includes {header}" for file in includes for header in includes[file]
    if "/" in header and room(header) > room(file)})
report(4, "no header includes itself", {file for file in includes if file.endswith(".h") and includes_itself(file)})
