#!/usr/bin/env python3
"""includes.py SOURCE [--write]: each include of service/ and sim/ says the room of its header, so
that a reader knows whose it is and two rooms may have a header of the same name. Prints TAP;
--write puts the rooms in."""

import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)
roots = {"service": source / "service", "sim": source / "sim"}
headers = {}
for root in roots.values():
    for path in root.rglob("*.h"):
        headers.setdefault(path.name, []).append(path)


def with_room(name, file):
    """The same header, from the root of its tree: its neighbour, or the only one of the name, in
    the tree of the file first. A header of the build, or of the root itself, has no room."""
    if "/" in name:
        return name
    top = source / file.relative_to(source).parts[0]
    for path in (file.parent / name, top / name):
        if path.exists():
            return path.relative_to(top).as_posix()
    named = headers.get(name, [])
    named = [path for path in named if path.is_relative_to(top)] or named
    if len(named) > 1:
        return f"{'|'.join(sorted(path.parent.name for path in named))}/{name}"
    return named[0].relative_to(source).as_posix().partition("/")[2] if named else name


wrong, count = [], 0
for root in roots.values():
    for file in sorted(root.rglob("*.[ch]")):
        text = file.read_text()
        fresh = INCLUDE.sub(lambda m: f'#include "{with_room(m[1], file)}"', text)
        count += len(INCLUDE.findall(text))
        if fresh == text:
            continue
        wrong.append(file.relative_to(source))
        if "--write" in sys.argv:
            file.write_text(fresh)
print("not ok" if wrong and "--write" not in sys.argv else "ok", f"1 - {count} includes say their room")
for file in wrong:
    print("#", file)
print("1..1")
