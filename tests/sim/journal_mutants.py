#!/usr/bin/env python3
"""journal_mutants.py BUILD SOURCE [SEEDS]: proctor-journal-sim notices each bug of the journal in
tests/mutants-daemon/. For each, the changed file is compiled and linked before the library that has
it as it is. TAP."""
import json
import pathlib
import shlex
import subprocess
import sys
import tempfile

build, source = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
seeds = sys.argv[3] if len(sys.argv) > 3 else "0..20000"
TARGET = "sim/proctor-journal-sim"


def read(path):
    """The few forms that the files have: a word on the line, or an indented block behind |4-."""
    mutant, key = {}, None
    for line in path.read_text().splitlines():
        if line.startswith("    ") or (not line and key):
            mutant[key] = mutant[key] + [line[4:]]
        else:
            key, _, value = line.partition(": ")
            mutant[key] = [] if value == "|4-" else value
    return {k: "\n".join(v) if isinstance(v, list) else v for k, v in mutant.items()}


def commands(*arguments):
    return subprocess.run(["ninja", "-C", build, "-t", *arguments], capture_output=True, text=True,
                          check=True).stdout.splitlines()


def compile_command(name):
    for entry in json.loads((build / "compile_commands.json").read_text()):
        if (build / entry["file"]).resolve() == (source / "service" / name).resolve():
            return shlex.split(entry["command"])
    raise SystemExit(f"{name} is not compiled")


def run(mutant, folder):
    path = source / "service" / mutant["file"]
    text = path.read_text()
    if text.count(mutant["replace"]) != 1:
        return f"{mutant['file']} does not have the line once"
    changed = folder / path.name
    changed.write_text(text.replace(mutant["replace"], mutant["with"]))
    command = compile_command(mutant["file"])
    command[command.index("-o") + 1] = str(folder / "mutant.o")
    command[command.index("-c") + 1] = str(changed)
    command = [word for word in command if word != "-Werror"]
    if subprocess.run(command + ["-w"], cwd=build).returncode:
        return "it does not compile"
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
