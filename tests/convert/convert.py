#!/usr/bin/env python3
"""convert.py PROCTORCTL: each folder beside this file holds files of another supervisor, the names to
give to `proctorctl convert` in `args`, and in `expected.yaml` what it makes of them. What it makes
passes `proctorctl check`. Then files that are refused, and files that are damaged by chance: whatever
is in them, there is an answer, never a crash. With --write, expected.yaml is written anew."""
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

here = pathlib.Path(__file__).resolve().parent
proctorctl = str(pathlib.Path(sys.argv[1]).resolve())
number = 0


def check(what, passed, shown=""):
    global number
    number += 1
    print(("ok" if passed else "not ok"), number, "-", what)
    if not passed:
        print("".join("# " + line + "\n" for line in str(shown).splitlines()[:40]), end="")


def run(folder, *arguments):
    return subprocess.run([proctorctl, *arguments], capture_output=True, cwd=folder, timeout=60)


def copied(name):
    folder = pathlib.Path(tempfile.mkdtemp()) / "case"
    shutil.copytree(here / name, folder)
    return folder


def mistakes(manifest):
    path = pathlib.Path(tempfile.mkdtemp()) / "manifest.yaml"
    path.write_bytes(manifest)
    done = run("/", "check", str(path))
    shutil.rmtree(path.parent)
    return "" if done.returncode == 0 else done.stderr.decode()


def try_case(name):
    folder = copied(name)
    arguments = (folder / "args").read_text().split()
    done = run(folder, "convert", *arguments)
    got = done.stdout.decode().replace(str(folder), "@")
    if "--write" in sys.argv:
        (here / name / "expected.yaml").write_text(got)
    wanted = (here / name / "expected.yaml").read_text()
    difference = subprocess.run(["diff", "-u", here / name / "expected.yaml", "-"], input=got,
                                capture_output=True, text=True).stdout
    check(f"{name}: is made as expected", got == wanted and done.returncode == 0,
          difference + done.stderr.decode())
    check(f"{name}: passes check", not mistakes(done.stdout), mistakes(done.stdout))
    answer = json.loads(run(folder, "--json=short", "convert", *arguments).stdout)
    check(f"{name}: says the same as JSON",
          answer["manifest"].replace(str(folder), "@") == wanted and answer["children"])
    for place in answer["lost"]:
        if place["line"] and place["what"] and "=" in place["what"]:
            line = (folder / place["file"]).read_text().splitlines()[place["line"] - 1]
            key = place["what"].split("=")[0]
            check(f"{name}: {place['what'][:50]} is where it says", key in line, line)
    try_folder(name, folder, arguments, answer)
    shutil.rmtree(folder.parent)


def try_folder(name, folder, arguments, answer):
    out = folder.parent / "out"  # which it makes
    done = run(folder, "convert", "-o", str(out), *arguments)
    files = sorted(path.name for path in out.iterdir())
    wanted = sorted(c + ".yaml" for c in answer["children"])
    check(f"{name}: each child in a file of its own, or in that of its supervisor",
          done.returncode == 0 and files in (wanted, ["app.supervisor.yaml", "more.yaml", "now.yaml"]), done)
    done = run(folder, "check", str(out))
    check(f"{name}: the files pass check together", done.returncode == 0, done.stderr.decode())
    (out / files[-1]).write_text("mine")
    for file in files[:-1]:
        (out / file).unlink()
    done = run(folder, "convert", "-o", str(out), *arguments)
    check(f"{name}: nothing is overwritten, and nothing done by halves",
          done.returncode == 1 and b"exists already; nothing was written" in done.stderr and
          (out / files[-1]).read_text() == "mine" and len(list(out.iterdir())) == 1, done)


def refuse(what, name, content, wanted):
    folder = pathlib.Path(tempfile.mkdtemp())
    if callable(content):
        content(folder / name)
    else:
        (folder / name).write_bytes(content)
    done = run(folder, "convert", name)
    check(f"refused: {what}", done.returncode == 1 and not done.stdout and
          wanted in done.stderr.decode(), done)
    shutil.rmtree(folder)


def try_refusals():
    unit = b"[Service]\nExecStart=/bin/true\n"
    refuse("a FIFO", "a.service", os.mkfifo, "a.service: is a FIFO")
    refuse("a file that is not there", "b.service", lambda path: None, "No such file")
    refuse("no text", "a.service", unit + b"\xff\n", "a.service:3: is not UTF-8")
    refuse("a NUL", "a.service", unit + b"\n\0", "a.service:4: is not UTF-8")
    refuse("no setting", "a.ini", b"[program:a]\nwhat?\n", "a.ini:2: KEY=VALUE is expected")
    refuse("an open section", "a.service", b"[Service\n", "a.service:1: a section without")
    refuse("too large", "a.service", unit + b"#" * (1 << 20), "is larger than 1024 KiB")
    refuse("of no kind", "a.txt", b"x", "is of no known kind")
    refuse("no command", "x.conf", b"[program:a]\nuser=root\n", "x.conf:2: [program:a] has no command")
    refuse("an open quote", "x.ini", b"[program:a]\ncommand=/bin/a \"b\n", "x.ini:2: a quote is not")
    refuse("no services", "x.yaml", b"version: 3\n", "it has no `services:`")
    refuse("no YAML", "x.yml", b"services: [\n", "x.yml:")
    refuse("no process", "Procfile", b"\nweb\n", "Procfile:2: NAME: COMMAND is expected")
    refuse("an empty folder", "sv", os.mkdir, "a folder without a `run` file")
    refuse("no child", "a.timer", b"[Timer]\nOnCalendar=daily\n", "there is no child in these files")
    many = b"".join(b"p%d: a\n" % i for i in range(4097))
    refuse("4,097 children", "Procfile", many, "more than 4096 children")
    folder = pathlib.Path(tempfile.mkdtemp())
    (folder / "Procfile").write_bytes(many[:many.rindex(b"p4096")])
    check("4,096 children", len(json.loads(run(folder, "--json=short", "convert", "Procfile").stdout)
                                ["children"]) == 4096)
    shutil.rmtree(folder)


def damage(chance, content):
    content = bytearray(content)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(content) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            content[at:at + 1] = bytes([chance.randrange(256)])
        elif kind == 1:
            del content[at:at + chance.randrange(1, 20)]
        elif kind == 2:
            content[at:at] = chance.choice([b"%", b"$", b"\"", b"'", b"\\", b"\n", b"[", b"=", b"{",
                                            b"${A:-", b"%(", b"\xc3", b"  ", b": "])
        else:
            end = min(len(content), at + chance.randrange(1, 40))
            content[at:at] = content[at:end]
    return bytes(content)


def try_damage(name, rounds):
    chance = random.Random(name)
    folder = copied(name)
    arguments = (folder / "args").read_text().split()
    texts = [path for path in folder.rglob("*") if path.is_file() and path.name not in
             ("args", "expected.yaml")]
    wrong = ""
    for _ in range(rounds):
        path = chance.choice([text for text in texts if text.stat().st_size])
        whole = path.read_bytes()
        path.write_bytes(damage(chance, whole))
        done = run(folder, "convert", *arguments)
        if done.returncode not in (0, 1) or (done.returncode == 1 and not done.stderr) or \
                b"Sanitizer" in done.stderr:
            wrong += f"{path.read_bytes()!r}: {done}\n"
        path.write_bytes(whole)
    check(f"{name}: {rounds} times damaged, and answered", not wrong, wrong)
    shutil.rmtree(folder.parent)


cases = sorted(path.parent.name for path in here.glob("*/args"))
for case in cases:
    try_case(case)
    try_damage(case, 40)
try_refusals()
print(f"1..{number}")
