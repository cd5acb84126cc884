#!/usr/bin/env python3
"""assertions.py SOURCE: in every room but core, which has its own invariants, each function that
other files may call, and that takes what another room made, asserts at least one thing. Prints
TAP."""

import pathlib
import re
import sys

ROOMS = (
    "service",
    "service/bus",
    "service/convert",
    "service/ctl",
    "service/handover",
    "service/host",
    "service/journal",
    "service/log",
    "service/manifest",
    "service/system",
    "sim",
)
FUNCTION = re.compile(
    r"^(?P<head>[a-z_][^;{}#\n=]*?\b(?P<name>\w+)"
    r"\((?P<parameters>[^;{}()]*(?:\([^()]*\)[^;{}()]*)*)\))\n\{\n(?P<body>.*?)^\}\n",
    re.S | re.M,
)
# Stands in for a function of libproctor, by the linker: that one's rules are its own.
STAND_IN = "__wrap_"


def room_of(name):
    parts = name.split("/")
    return "sim" if parts[0] == "sim" else "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def main():
    source = pathlib.Path(sys.argv[1])
    texts = {
        str(path.relative_to(source)): path.read_text()
        for folder in ("service", "sim")
        for path in sorted((source / folder).rglob("*.[ch]"))
    }
    makers = {}
    for name, text in texts.items():
        for struct in re.findall(r"^(?:struct|union) (\w+) \{", text, re.M):
            makers.setdefault(struct, set()).add(room_of(name))
    count, silent = 0, []
    for name, text in texts.items():
        if not name.endswith(".c") or room_of(name) not in ROOMS:
            continue
        for function in FUNCTION.finditer(text):
            taken = re.findall(r"struct (\w+) (?:const )?\*", function["parameters"])
            foreign = [s for s in taken if s in makers and room_of(name) not in makers[s]]
            if (
                not foreign
                or function["head"].startswith("static")
                or function["name"].startswith(STAND_IN)
            ):
                continue
            count += 1
            if not re.search(r"\b(?:INVARIANT|assert)\(", function["body"]):
                silent.append(f"{name}: {function['name']}() takes {', '.join(foreign)}")
    print(f"{'not ok' if silent else 'ok'} 1 - {count} functions that take what another room made")
    for line in silent:
        print("# " + line)
    print(f"{'ok' if count > 200 else 'not ok'} 2 - and there are some\n1..2")


main()
