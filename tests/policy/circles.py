#!/usr/bin/env python3
"""circles.py BUILD: no file of a room calls one that calls it back, by what their objects define
and need."""
import pathlib
import subprocess
import sys

STILL = {}  # circles that are known


def calls(objects):
    """For each file, those of the same room whose functions and data it uses."""
    home, needs = {}, {}
    for path in objects:
        name = path.name.removesuffix(".c.o")
        needs[name] = set()
        for line in subprocess.run(["nm", path], capture_output=True, text=True).stdout.splitlines():
            *_, kind, symbol = line.split()
            if kind == "U":
                needs[name].add(symbol)
            elif kind in "TDBRV":
                home[symbol] = name
    return {name: {home[s] for s in symbols if s in home} - {name} for name, symbols in needs.items()}


def reached(graph, start):
    found, pending = set(), [start]
    while pending:
        for other in graph[pending.pop()] - found:
            found.add(other)
            pending.append(other)
    return found


def circles(graph):
    reach = {name: reached(graph, name) for name in graph}
    return {frozenset(b for b in reach[a] if a in reach[b]) for a in graph if a in reach[a]}


def folders(graph):
    """The same between the folders of a room, which the names of the objects begin with."""
    between = {}
    for name, others in graph.items():
        folder = name.split("_")[0]
        between.setdefault(folder, set()).update({o.split("_")[0] for o in others} - {folder})
    return between


rooms = {}
for path in pathlib.Path(sys.argv[1]).glob("s*/**/*.c.o"):
    folder = path.relative_to(sys.argv[1]).parts
    room = "sim" if folder[0] == "sim" else folder[1] if len(folder) > 3 else "main"
    rooms.setdefault(room, []).append(path)
graphs = {room: calls(objects) for room, objects in rooms.items()}
graphs["the folders of sim"] = folders(graphs["sim"])
for number, (room, graph) in enumerate(sorted(graphs.items()), 1):
    found = circles(graph)
    verdict = "ok" if len(found) <= STILL.get(room, 0) else "not ok"
    print(f"{verdict} {number} - {room}: {len(graph)} parts, {len(found)} circles")
    for circle in found:
        print("#", " ".join(sorted(circle)))
print(f"1..{len(graphs)}")
