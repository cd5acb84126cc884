#!/usr/bin/env python3
"""journal_mutants.py BUILD SOURCE [SEEDS]: proctor-journal-sim notices each bug of the journal in
tests/mutants-daemon/. For each, the changed file is compiled and linked before the library that has
it as it is. TAP."""
import pathlib
import shlex
import subprocess
import sys
import tempfile

from mutant import build, commands, compile_changed, read, source

seeds = sys.argv[3] if len(sys.argv) > 3 else "0..20000"
TARGET = "sim/proctor-journal-sim"


def run(mutant, folder):
    why = compile_changed(mutant, folder)
    if why:
        return why
    link = next(line for line in reversed(commands("commands", TARGET)) if f"-o {TARGET} " in line)
    link = shlex.split(link)
    link[link.index("-o") + 1] = str(folder / "sim")
    link.insert(link.index("-o") + 2, str(folder / "mutant.o"))
    if subprocess.run(link, cwd=build).returncode:
        return "it cannot be linked"
    try:
        told = subprocess.run([folder / "sim", "--seeds", seeds, "--first"], capture_output=True,
                              text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return None  # it hangs: that is noticed, too
    return "it lives" if told.returncode == 0 else None


paths = [p for p in sorted((source / "tests/mutants-daemon").glob("*.yaml"))
         if "file: journal/" in p.read_text()]
failed = 0
print(f"1..{len(paths)}")
for number, path in enumerate(paths, 1):
    with tempfile.TemporaryDirectory() as folder:
        problem = run(read(path), pathlib.Path(folder))
    failed += bool(problem)
    print(f"{'not ok' if problem else 'ok'} {number} - {path.stem}" + (f"\n# {problem}" if problem else ""),
          flush=True)
sys.exit(failed > 0)
