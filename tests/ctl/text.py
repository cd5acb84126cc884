"""text.py PROCTORD PROCTORCTL: what proctorctl writes, with all that can come from outside in it. As
JSON each command writes one document, an error too; on a terminal nothing of it acts; what cannot be
written is no success. TAP."""
import json
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import time

proctord, proctorctl = (os.path.realpath(p) for p in sys.argv[1:3])
folder = tempfile.mkdtemp().encode()
DEADLINE = 30

# An escape sequence with a bell, C1 as UTF-8, a direction, a line separator, bytes that are no UTF-8,
# code points that are no characters, a forged line.
HOSTILE = (b"a\x1b]0;owned\x07b\x7f\xc2\x9b31mc\xe2\x80\xaed\xe2\x80\xa8e\xff\xc3(f"
           b"\xef\xbf\xbeg\xef\xb7\x90h\xf0\x9f\xbf\xbe\ti\rj")
# What YAML lets into a text between double quotes.
IN_YAML = r"a\e]0;owned\ab\x7f\x9b31mc\u202ed\u2028e\uFFFEf\uFDD0g\U0001FFFEh\ti\nj"
ACTS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")

number = 0


def check(what, good, *said):
    global number
    number += 1
    print(f"{'ok' if good else 'not ok'} {number} - {what}", flush=True)
    for text in () if good else said:
        for line in repr(text)[:2000].splitlines():
            print("# " + line)


def write(name, data):
    path = os.path.join(folder, name)
    with open(path, "wb") as out:
        out.write(data if isinstance(data, bytes) else data.encode())
    return path


# ---- a proctord, and all that is hostile to it ---------------------------------------------------

says = write(b"says.py", f"""#!/usr/bin/python3
import os, socket, time
to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
address = os.environ["NOTIFY_SOCKET"]
to.connect("\\0" + address[1:] if address[0] == "@" else address)
to.send(b"READY=1\\nSTATUS=" + {HOSTILE!r})
os.write(1, {HOSTILE!r} + b"\\nlast\\n")
time.sleep(1000)
""")
ill = write(b"ill.sh", b"#!/bin/sh\nprintf '%s\\n' '" + HOSTILE + b"' >&2\n"
            b"[ -e $0.was-well ] && exit 1\n: >$0.was-well\n") # misses count from the first pass on
lies = write(b"lies.sh", b"#!/bin/sh\nprintf '%s' '" + HOSTILE + b"' >&$PROCTOR_RESULT_FD\nexit 3\n")
for path in (says, ill, lies):
    os.chmod(path, 0o755)
os.mkdir(os.path.join(folder, b"children.d"))
manifest = f"""children:
  - name: says
    exec: [{says.decode()}]
    stdout: {{file: {folder.decode()}/says.log}}
    readiness: explicit
  - {{name: tagged, exec: [/bin/sleep, "1000"], environment: {{A: "{IN_YAML}"}}}}
  - name: ill
    exec: [/bin/sleep, "1000"]
    health_check: {{exec: [{ill.decode()}], interval: 200ms, timeout: 5s}}
  - {{name: lost, exec: ["/nowhere/{IN_YAML}"], restart_limit: {{burst: 1, interval: 1h}}}}
  - {{name: envy, exec: [/bin/true], environment_file: "/nowhere/{IN_YAML}", restart_limit: {{burst: 1, interval: 1h}}}}
  - {{name: homeless, exec: [/bin/true], working_directory: "/nowhere/{IN_YAML}", restart_limit: {{burst: 1, interval: 1h}}}}
  - {{name: mute, exec: [/bin/true], stdout: {{file: "/nowhere/{IN_YAML}"}}, restart_limit: {{burst: 1, interval: 1h}}}}
  - {{name: shy, exec: [/bin/sleep, "1000"], sockets: [{{name: s, listen: "/nowhere/{IN_YAML}"}}], restart_limit: {{burst: 1, interval: 1h}}}}
  - {{supervisor: pay, strategy: one-for-all, children: [{{name: api, exec: [/bin/sleep, "1000"]}}]}}
"""
write(b"children.d/tree.yaml", manifest)
write(b"children.d/odd" + HOSTILE.replace(b"\n", b"") + b".yaml",
      b"{name: odd, exec: [/bin/sleep, \"1000\"]}\n")
errors = open(os.path.join(folder, b"errors"), "wb")
# Its own output must not end it, so its log is one more thing to look at.
daemon = subprocess.Popen([proctord, b"--private-bus", b"--manifests=" + folder + b"/children.d",
                           b"--state-dir=" + folder + b"/state", b"--runtime-dir=" + folder + b"/run",
                           b"--log-level=debug", b"--log-target=stderr"],
                          stdout=subprocess.PIPE, stderr=errors)
said = daemon.stdout.readline()
if not said:
    with open(os.path.join(folder, b"errors"), "rb") as log:
        sys.exit(f"Bail out! proctord does not start: {log.read()!r}")
address = said.split(b" ", 1)[1].strip()
environment = dict(os.environ, PROCTOR_BUS_ADDRESS=address.decode(), LC_ALL="C.UTF-8", NO_COLOR="1",
                   TERM="xterm")
environment.pop("COLUMNS", None)


def ctl(*arguments, **more):
    more.setdefault("stdout", subprocess.PIPE)
    return subprocess.run([proctorctl, *arguments], stderr=subprocess.PIPE, timeout=DEADLINE,
                          env=dict(environment, **more.pop("env", {})), **more)


def until(condition):
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if condition():
            return True
        select.select([], [], [], 0.05)
    return False


def status(child, key):
    return json.loads(ctl("--json=short", "status", child).stdout).get(key)


# ---- commands ------------------------------------------------------------------------------------

good = write(b"good.yaml", b"{name: good, exec: [/bin/true], restart: temporary}\n")
bad = write(b"bad.yaml", f"{{name: bad, exec: [/bin/true], \"{IN_YAML}\": 1}}\n")
worse = write(b"worse" + HOSTILE + b".yaml", b"{name: worse, exec: [/bin/true], kind: \"\xff\"}\n")
job = write(b"job.yaml", f"{{name: lies, kind: job, exec: [{lies.decode()}]}}\n")
tags = write(b"tags.yaml", f"{{name: more, exec: [/bin/sleep, \"1000\"], stdout: \"null\", "
                           f"tags: [\"{IN_YAML}\"]}}\n")
user = write(b"user.yaml", f"{{name: x, exec: [/bin/true], user: \"{IN_YAML}\"}}\n")
because = "--reason=for the test"

COMMANDS = [ # with the exit codes that are right
    (["list"], 0), (["list", "s*"], 0), (["jobs"], 0), (["jobs", "n*"], 0), (["tree"], 0), (["status"], 0), (["status", "says"], 0),
    (["status", "says", "ill", "lost"], 0),
    (["status", "envy", "homeless", "mute", "shy"], 0), (["log", "mute"], None),
    (["events", "envy", "homeless", "mute", "shy"], 0), (["status", "unknown"], 5),
    (["status", "says", "unknown"], 5), (["status", b"x" + HOSTILE], 5),
    (["events"], 0), (["events", "says"], 0), (["events", "--kind=child-ready"], 0),
    (["events", "--kind=none"], 1), (["events", "--command=70a08124-2"], 0),
    (["events", "--command=x"], 1), (["audit"], 0), (["audit", "--since=1h", "says"], 0),
    (["audit", "--since=yesterday"], 0), (["audit", "--since=tomorrow"], 1), (["audit", "--command=x"], 1),
    (["log", "says"], 0), (["log", "tagged"], None), (["log", "unknown"], 5),
    (["log", "says", "-n", "many"], 1), (["check", good], 0), (["check", bad], 1),
    (["check", worse], 1), (["check", b"/nowhere/" + HOSTILE], 1), (["metrics"], 0),
    (["top"], 1), (["add", good, because], 0), (["add", good, because], 1),
    (["add", bad, because], 1), (["add", tags, because], 1), (["add", user, because], 1),
    (["check", user, tags], 1), (["add", worse, because], 1), (["add", b"/nowhere/" + HOSTILE, because], 1),
    (["remove", "good", because, "--wait"], 0), (["run", job], 3), (["run", bad], 1),
    (["run", "--dry-run", job], 0), (["pause", "tagged", because, "--wait"], 0),
    (["pause", "tagged", because], 0), (["resume", "tagged", "says", because], 0),
    (["restart", "tagged", because, "--dry-run"], 0), (["restart", "unknown", "tagged", because], 5),
    (["quarantine", "lost", because], 4), (["restart", "pay/", because, "--wait"], 0),
    (["pause", "unknown/", because], 5), (["pause", "says"], 1), (["pause"], 1),
    (["pause", "says", "--reason=" + "x\x1b]0;y\x07"], 1), (["kill", "tagged", "CONT", because], 0),
    (["kill", "tagged", "NONE", because], 1), (["reload", because], None),
    (["reexec", because, "--dry-run"], 0), (["trace", "-o", os.path.join(folder, b"trace")], 0),
    (["trace", "-o", "/nowhere/x"], 1), (["trace"], 1), ([], 1),
    ([b"--nonsense" + HOSTILE], 1), (["list", "--since"], 1), (["events", "--since=x"], 1), ([b"nonsense" + HOSTILE], 1),
]


def named(arguments):
    return b" ".join(os.fsencode(a) for a in arguments).replace(folder, b"").decode("ascii", "replace") \
        .encode("unicode_escape").decode()[:70].replace("#", "?")


def is_clean(data):
    try:
        return not ACTS.search(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False


def snake_case(value):
    if isinstance(value, list):
        return all(snake_case(v) for v in value)
    if isinstance(value, dict):
        return all(re.fullmatch("[a-z0-9_-]+", k) and snake_case(v) for k, v in value.items())
    return True


def as_json():
    for arguments, code in COMMANDS:
        for mode in ("short", "pretty"):
            done = ctl("--json=" + mode, *arguments)
            try:
                value, why = json.loads(done.stdout.decode("utf-8")), ""
            except ValueError as error:
                value, why = None, str(error)
            wanted = code is None or done.returncode == code or \
                mode == "pretty" and arguments[:1] in (["add"], ["remove"])
            told = done.returncode in (0, 3, 4) or isinstance(value, list) and \
                any("error" in v for v in value) or isinstance(value, dict) and "error" in value
            check(f"--json={mode} {named(arguments)}",
                  value is not None and wanted and told and is_clean(done.stdout) and snake_case(value),
                  done.returncode, why, done.stdout, done.stderr)


def follow_lines():
    for arguments in (["events", "-f"], ["log", "says", "-f"]):
        follower = subprocess.Popen([proctorctl, "--json=pretty", *arguments], env=environment,
                                    stdout=subprocess.PIPE)
        lines = [follower.stdout.readline() for _ in range(2)]
        follower.terminate()
        follower.wait()
        follower.stdout.close()
        check(f"--json {named(arguments)}: a document a line",
              all(isinstance(json.loads(line), dict) for line in lines), lines)


# ---- on a terminal -------------------------------------------------------------------------------

def on_terminal(arguments, keys=b"", **more):
    """What comes to the terminal until the command ends."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(proctorctl, ["proctorctl", *arguments], dict(environment, **more))
    said = b""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        ready, _, _ = select.select([fd], [], [], 1)
        try:
            data = os.read(fd, 65536) if ready else None
        except OSError:
            break
        if data == b"":
            break
        said += data or b""
        if keys and b"q quit" in said:
            os.write(fd, keys)
            keys = b""
    os.close(fd)
    return said, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def terminal():
    for arguments, _ in COMMANDS:
        if arguments[:1] == ["top"]:
            continue
        said, _ = on_terminal(arguments)
        said = said.replace(b"\r\n", b"\n")
        check(f"on a terminal: {named(arguments)}", is_clean(said), said)
    said, _ = on_terminal(["log", "says"])
    check("a line of a log shows what is in it", rb"a\x1b]0;owned\x07b\x7f\u009b31mc\u202ed" in said, said)
    said, _ = on_terminal(["status", "says"], NO_COLOR="")
    check("nor does NO_COLOR let it through", b"\x1b]" not in said, said)
    environment.pop("NO_COLOR", None)
    said, _ = on_terminal(["list"])
    environment["NO_COLOR"] = "1"
    check("our own colours come through", b"\x1b[32m" in said, said)
    said, _ = on_terminal(["top"], keys=b"\rq")
    check("top: nothing but what draws", b"\x1b]" not in said and b"\x07" not in said and
          b"\xc2\x9b" not in said and "\u202e".encode() not in said, said)


# ---- elsewhere -----------------------------------------------------------------------------------

def full_disk():
    with open("/dev/full", "wb") as full:
        for arguments in (["list"], ["tree"], ["status", "says"], ["status"], ["events"], ["audit"],
                          ["metrics"], ["log", "says"], ["check", good], ["--help"], ["--version"],
                          ["restart", "tagged", because, "--dry-run"], ["run", job], ["reload", because],
                          ["--json=short", "list"], ["--json=pretty", "status"],
                          ["--json=short", "status", "unknown"], ["--json=short", "events"]):
            done = ctl(*arguments, stdout=full)
            check(f"{named(arguments)} > /dev/full",
                  done.returncode == 1 and b"cannot be written" in done.stderr, done.returncode,
                  done.stderr)
        for arguments in ([b"--version"], [b"--help"], [b"--check", b"--manifests=" + good]):
            done = subprocess.run([proctord, *arguments], stdout=full, stderr=subprocess.PIPE)
            check(f"proctord {named(arguments)} > /dev/full", done.returncode == 1 and
                  b"cannot be written" in done.stderr, done.returncode, done.stderr)
        follower = ctl("events", "-f", stdout=full)
        check("events -f > /dev/full ends", follower.returncode == 1, follower.stderr)
        follower = ctl("log", "says", "-f", stdout=full)
        check("log -f > /dev/full ends", follower.returncode == 1, follower.stderr)


def closed_pipe():
    out, into = os.pipe()
    os.close(out)
    done = ctl("list", stdout=into, preexec_fn=lambda: None)
    check("a pipe that nobody reads ends it without a word", done.returncode == -13 and not done.stderr,
          done.returncode, done.stderr)
    done = subprocess.run(["/bin/sh", "-c", 'trap "" PIPE; exec "$@"', "sh", proctorctl, "list"],
                          stdout=into, stderr=subprocess.PIPE, env=environment)
    os.close(into)
    check("where SIGPIPE is ignored, it says so", done.returncode == 1 and
          b"cannot be written" in done.stderr, done.returncode, done.stderr)


def width():
    long = "l" * 60
    path = write(b"long.yaml", f"{{name: {long}, exec: [/bin/true], autostart: false}}\n")
    ctl("add", path, because)
    check("COLUMNS does not cut what goes into a pipe",
          long.encode() in ctl("list", env={"COLUMNS": "40"}).stdout)
    said, _ = on_terminal(["list"], COLUMNS="40")
    check("but what comes to a terminal", long.encode() not in said and b"\xe2\x80\xa6" in said, said)


def forged_lines():
    name = os.path.join(folder, b'p", :1.1')
    shutil.copy(proctorctl, name)
    forger = subprocess.run([name, "restart", "tagged", '--requested-by=eve" by="root (uid 0)',
                             '--reason=x" by="another" from="\\', "--json=short", "--wait"], env=environment,
                            stdout=subprocess.PIPE)
    command = json.loads(forger.stdout)["command_id"]
    lines = ctl("audit", "--command=" + command).stdout
    found = json.loads(ctl("--json=short", "audit", "--command=" + command).stdout)
    order = [e for e in found if e["kind"] == "command-accepted"]
    check("each line of the audit is one entry",
          lines.endswith(b"\n") and len(lines.splitlines()) == len(found) and is_clean(lines) and
          all(re.match(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}  ", line) for line in lines.splitlines()),
          lines)
    check("a quote in a reason stays in the reason",
          len(order) == 1 and order[0]["fields"]["reason"] == 'x" by="another" from="\\' and
          order[0]["fields"]["by"].startswith('eve" by="root (uid 0) through ') and
          rb'reason="x\" by=\"another\" from=\"\\"' in lines, order, lines)
    check("what a process calls itself stays there", order[0]["fields"]["from"].count(",") == 2 and
          re.fullmatch(r'pid \d+, p\\?"  :1\.1, :1\.\d+', order[0]["fields"]["from"]), order)
    check("the cause is what the caller was told", len(found) > 1 and
          all(e["cause"] == command for e in found), found)
    events = json.loads(ctl("--json=short", "events", "--command=" + command).stdout)
    check("the events have it, too", len(events) > 1 and all(e["cause"] == command for e in events),
          events)
    with open(os.path.join(folder, b"errors"), "rb") as log:
        check("nor does it leave its quotes in the log",
              rb'reason="x\" by=\"another\" from=\"\\"' in log.read())
    other = json.loads(ctl("--json=short", "audit").stdout)
    check("and others have another", any(e["cause"] not in ("", command) for e in other))


def raw_bytes():
    said = ctl("status", "says").stdout
    check("among what status says, a line of a log is one line", is_clean(said) and
          rb"a\x1b]0;owned\x07b" in said and said.endswith(b"\nlast\n"), said)
    check("a line of a log goes into a pipe as it is", HOSTILE in ctl("log", "says").stdout)
    done = subprocess.run([proctord, b"--check", b"--manifests=" + worse], stderr=subprocess.PIPE)
    check("proctord --check shows a mistake in one line", done.returncode == 1 and
          is_clean(done.stderr) and done.stderr.count(b"\n") == 1, done.stderr)


def recovery():
    """Whatever hostile texts are in the journal: it is read, and everybody is answered."""
    daemon.kill()
    daemon.wait()
    again = subprocess.Popen(daemon.args, stdout=subprocess.PIPE, stderr=errors)
    environment["PROCTOR_BUS_ADDRESS"] = again.stdout.readline().split(b" ", 1)[1].strip().decode()
    check("after a recovery all can be read",
          all(json.loads(ctl("--json=short", *c).stdout) is not None
              for c in (["status"], ["tree"], ["events"], ["audit"], ["list"])))
    return again


try:
    check("it starts, with all that", until(lambda: (status("says", "status_text") or "") != "" and
                                            all(status(c, "operation") == "quarantined" for c in
                                                ("lost", "envy", "homeless", "mute",
                                                 "shy")) and
                                            (status("ill", "heartbeat_stale") is True)),
          ctl("list").stdout)
    text = status("says", "status_text")
    check("a status is cleaned", text and not ACTS.search(text) and text.startswith("a ]0;owned b"), text)
    as_json()
    follow_lines()
    terminal()
    full_disk()
    closed_pipe()
    width()
    forged_lines()
    raw_bytes()
    reload = ctl("reload", because)
    check("a file whose name is no UTF-8: Reload answers", reload.returncode in (0, 1) and
          b"Connection timed out" not in reload.stderr, reload.stderr)
    write(b"children.d/broken" + HOSTILE + b".yaml", b"{name: \xff}\n")
    reload = ctl("--json=short", "reload", because)
    check("and where it is broken, with an error", "error" in json.loads(reload.stdout) and
          is_clean(reload.stderr), reload.stdout, reload.stderr)
    os.unlink(os.path.join(folder, b"children.d/broken" + HOSTILE + b".yaml"))
    daemon = recovery()
    said = ctl("--json=short", "reexec", because).stdout
    check("--json reexec", "version" in json.loads(said), said)
    said = ctl("--json=pretty", "shutdown", because, "--wait", "--requested-by=Z\xfcrich").stdout
    report = json.loads(said)
    check("--json shutdown", report["phase"] == "completed" and is_clean(said) and snake_case(report) and
          report["requested_by"].startswith("Z\xfcrich through") and len(report["report"]) > 5, said)
    check("it has ended well", daemon.wait() == 0, daemon.returncode)
    with open(os.path.join(folder, b"errors"), "rb") as log:
        lines = [line for line in log.read().split(b"\n") if not is_clean(line)]
    check("nothing in the log of proctord acts on a terminal", not lines, lines[:3])
finally:
    if daemon.returncode is None:
        daemon.terminate()
        daemon.wait()
    errors.close()
    shutil.rmtree(folder, ignore_errors=True)
print(f"1..{number}")
