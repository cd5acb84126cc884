"""guide.py GUIDE PROCTORD PROCTORCTL PROCTOR_SIM: types what the guide's console blocks say, in
one shell, and compares what comes out, but for what is different each time. Then its other examples: the
manifests are checked, the scenario is run. TAP."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

guide, proctord, proctorctl, sim = (os.path.realpath(p) for p in sys.argv[1:5])
folder = os.path.realpath(tempfile.mkdtemp())
text = open(guide, encoding="utf-8").read()
END = "---the-end-of-it---"


def blocks(kind):
    return re.findall(r"^```" + kind + r"\n(.*?)^```$", text, re.M | re.S)


def commands(block):
    """Pairs of what is typed and what comes out."""
    typed, out, until = None, [], None
    for line in block.splitlines():
        if until is not None:
            typed += "\n" + line
            until = None if line == until else until
        elif line.startswith("$ "):
            if typed is not None:
                yield typed, "\n".join(out)
            typed, out = line[2:], []
            here = re.search(r"<<'?(\w+)", typed)
            until = here.group(1) if here else None
        else:
            out.append(line)
    if typed is not None:
        yield typed, "\n".join(out)


def mask(said):
    said = said.replace(folder, "FOLDER")
    said = re.sub(r"\b\d\d:\d\d:\d\d\.\d{3}\b", "HH:MM:SS.mmm", said)
    said = re.sub(r"\b(pid|process) \d+", r"\1 N", said)
    said = re.sub(r":1\.\d+", ":1.N", said)
    said = re.sub(r"\b[0-9a-f]{8}-(\d+)\b", r"70a08124-\1", said)
    said = re.sub(r"\b\d+\.\d s ago", "N s ago", said)
    said = re.sub(r"\bfor \d+\.\d s", "for 1.0 s", said)
    said = re.sub(r"mmm +\d+  ", "mmm      n  ", said)
    said = re.sub(r"\n    last lines in the journal:.*", "", said, flags=re.S)
    return said.rstrip()


number = failed = 0


def check(what, wanted, got):
    global number, failed
    number += 1
    if wanted == got:
        print(f"ok {number} - {what}")
        return
    failed += 1
    print(f"not ok {number} - {what}")
    for title, lines in (("wanted", wanted), ("got", got)):
        for line in lines.splitlines():
            print(f"# {title}: {line}")


for program in (proctord, proctorctl, sim):
    os.symlink(program, os.path.join(folder, os.path.basename(program)))
environment = dict(os.environ, PATH=folder + ":" + os.environ["PATH"], COLUMNS="400",
                   PROCTOR_BUS_ADDRESS="", LC_ALL="C.UTF-8")
shell = subprocess.Popen(["bash"], cwd=folder, env=environment, text=True, bufsize=1,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def type_in(command):
    background = command.endswith("&")
    shell.stdin.write(command + "\n" + (":" if background else "echo; echo " + END) + "\n")
    shell.stdin.flush()
    said = []
    while True:
        line = shell.stdout.readline()
        if not line:
            sys.exit("Bail out! the shell has ended")
        if line.rstrip("\n") == END:
            return "\n".join(said).rstrip("\n")
        said.append(line.rstrip("\n"))
        if background:
            return said[0]


def try_out(command, wanted):
    """What only looks is typed again for a while: a child comes to its program when it does."""
    looks = re.match(r"proctorctl (list|status|tree)\b", command)
    deadline = time.monotonic() + (10 if looks else 0)
    got = mask(type_in(command))
    while got != wanted and time.monotonic() < deadline:
        got = mask(type_in(command))
    check(command.splitlines()[0], wanted, got)


try:
    for block in blocks("console"):
        for command, wanted in commands(block):
            try_out(command, mask(wanted))
    for block in blocks("yaml"):
        path = os.path.join(folder, "example.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(block)
        tool = [sim, "run"] if block.startswith("scenario:") else [proctorctl, "check", "--quiet"]
        done = subprocess.run(tool + [path], capture_output=True, text=True, cwd=folder)
        check("example: " + block.splitlines()[0], "0", str(done.returncode) +
              (done.stdout + done.stderr if done.returncode else ""))
finally:
    shell.stdin.write("kill $(jobs -p); wait\n")
    shell.stdin.close()
    shell.wait()
    shutil.rmtree(folder, ignore_errors=True)
print(f"1..{number}")
