"""journald.py PROCTORD PROCTORCTL: what journald is given of a command, by a socket that stands for it
in a mount namespace of our own. TAP."""
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile

proctord, proctorctl = (os.path.realpath(p) for p in sys.argv[1:3])
number = 0


def check(what, good, *said):
    global number
    number += 1
    print(f"{'ok' if good else 'not ok'} {number} - {what}", flush=True)
    for text in () if good else said:
        print("# " + repr(text)[:2000])


if len(sys.argv) == 3:
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "run", "/run"],
                      stderr=subprocess.DEVNULL).returncode != 0:
        print("1..0 # SKIP no mount namespace is to be had")
        sys.exit(0)
    os.execvp("unshare", ["unshare", "-m", "sh", "-c", 'mount -t tmpfs run /run && exec "$@"', "sh",
                          sys.executable, *sys.argv, "inside"])

os.makedirs("/run/systemd/journal")
journald = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journald.bind("/run/systemd/journal/socket")
folder = tempfile.mkdtemp()
os.mkdir(folder + "/children.d")
with open(folder + "/children.d/api.yaml", "w", encoding="utf-8") as out:
    out.write('{name: api, exec: [/bin/sleep, "1000"], stdout: "null"}\n')
daemon = subprocess.Popen([proctord, "--private-bus", f"--manifests={folder}/children.d",
                           f"--state-dir={folder}/state", f"--runtime-dir={folder}/run",
                           "--log-target=journal"], stdout=subprocess.PIPE)


def entries():
    """Until none has come for five seconds, or that of the wanted command has."""
    while select.select([journald], [], [], 5)[0]:
        lines = journald.recv(65536).decode().splitlines()
        yield dict(line.split("=", 1) for line in lines if "=" in line)


try:
    environment = dict(os.environ, PROCTOR_BUS_ADDRESS=daemon.stdout.readline().split()[1].decode())
    done = subprocess.run([proctorctl, "--json=short", "pause", "api", '--reason=x" by="another'],
                          env=environment, stdout=subprocess.PIPE)
    told = json.loads(done.stdout)["command_id"]
    found = next((e for e in entries() if e.get("PROCTOR_EVENT") == "command-accepted"), {})
    check("the command is called as its caller was told", found.get("PROCTOR_COMMAND_ID") == told, found)
    check("a reason is a field", found.get("PROCTOR_REASON") == 'x" by="another', found)
    check("and stays in its quotes in the message",
          r'reason="x\" by=\"another"' in found.get("MESSAGE", ""), found)
finally:
    daemon.terminate()
    daemon.wait()
    shutil.rmtree(folder, ignore_errors=True)
print(f"1..{number}")
