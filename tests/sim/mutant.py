"""What the tests of mutants share: how one is read, and compiled as ninja compiles the file."""
import json
import pathlib
import shlex
import subprocess
import sys

build, source = (pathlib.Path(p).resolve() for p in sys.argv[1:3])


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


def compile_changed(mutant, folder):
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
    return None
