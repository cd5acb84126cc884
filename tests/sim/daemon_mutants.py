#!/usr/bin/env python3
"""daemon_mutants.py BUILD SOURCE [NAME...]: the whole daemon under simulation notices each bug of
tests/mutants-whole/. For each, the changed file is compiled, and proctord is linked with it; the
scenarios of tests/whole/ run on it, then drawn runs, for a minute at most. TAP."""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

import mutant as shared

TARGET = "service/proctord"
SECONDS = int(os.environ.get("HUNT_SECONDS", 60))  # of drawn runs; 0: scenarios alone


def link(folder, name):
    line = next(l for l in reversed(shared.commands("commands", TARGET)) if f"-o {TARGET} " in l)
    words = shlex.split(line)
    words[words.index("-o") + 1] = str(folder / "proctord")
    own = [w for w in words if re.fullmatch(r"service/proctord\.p/.*" + re.escape(name.replace("/", "_")) + r"\.o", w)]
    if own:
        words[words.index(own[0])] = str(folder / "mutant.o")
    else:
        words.insert(words.index("-o") + 2, str(folder / "mutant.o"))
    return subprocess.run(words, cwd=shared.build).returncode == 0


def output(*words):
    try:
        return subprocess.run(words, capture_output=True, text=True, timeout=120 + SECONDS).stdout
    except subprocess.TimeoutExpired:
        return "FAILED  it does not come to its end\n"


def hunt(folder):
    sim, proctord = str(shared.build / "sim/proctor-sim"), str(folder / "proctord")
    began = time.time()
    text = output(sim, "test", "--seeds", "1", "--failed", "--proctord", proctord,
                  str(shared.source / "tests/whole"))
    failed = [l.split(None, 2)[2] for l in text.splitlines() if l.startswith("FAILED")]
    if failed:
        return f"{len(failed)} scenarios ({failed[0]}), {time.time() - began:.1f} s"
    if SECONDS == 0:
        return None
    text = output(sim, "daemon", "--seeds", "0..100000", "--first", "--time", f"{SECONDS}s",
                  "--proctord", proctord)
    seeds = [l for l in text.splitlines() if l.startswith("seed ")]
    return f"{seeds[0]}, {time.time() - began:.1f} s" if seeds else None


def try_one(mutant):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        why = shared.compile_changed(mutant, folder)
        if why:
            return False, why
        if not link(folder, mutant["file"]):
            return False, "it cannot be linked"
        found = hunt(folder)
        return found is not None, found or "nothing notices"


def main():
    wanted = sys.argv[3:]
    paths = [p for p in sorted((shared.source / "tests/mutants-whole").glob("*.yaml"))
             if not wanted or p.stem in wanted]
    print(f"1..{len(paths)}", flush=True)
    failed = 0
    for i, path in enumerate(paths, 1):
        found, text = try_one(shared.read(path))
        failed += not found
        print(f"{'ok' if found else 'not ok'} {i} - {path.stem}\n# {text}", flush=True)
    sys.exit(failed > 0)


main()
