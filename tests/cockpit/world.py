"""A bus that is taken for the system's, a proctord on it, and a cockpit-ws with a session of its own."""
import ctypes
import os
import select
import shutil
import signal
import socket
import subprocess
import time

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={folder}/bus</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>"""
WS = ("/usr/lib/cockpit/cockpit-ws", "/usr/libexec/cockpit-ws")


def missing():
    if not next(filter(os.path.exists, WS), None):
        return "cockpit-ws"
    return next((name for name in ("cockpit-bridge", "dbus-daemon", "setpriv") if not shutil.which(name)), None)


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            return False
        select.select([], [], [], 0.05)
    return True


PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """What a bridge of Cockpit starts (an ssh-agent, a bus of the session) outlives it, and comes to this process."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_orphans():
    """Ends all that is left below this process, however deep, within ten seconds."""
    def is_alone():
        with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as file:
            children = [int(pid) for pid in file.read().split()]
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        return not children
    wait_for(is_alone, 10)


class World:
    def __init__(self, folder, proctord, proctorctl, source, tree):
        self.folder, self.proctord, self.started = folder, proctord, []
        os.makedirs(folder)
        os.chmod(os.path.dirname(folder), 0o755)
        for name in ("bin", "data/cockpit", "children.d", "home"):
            os.makedirs(f"{folder}/{name}")
        os.symlink(os.path.realpath(proctorctl), f"{folder}/bin/proctorctl")
        os.chmod(f"{folder}/home", 0o777)
        shutil.copytree(f"{source}/cockpit", f"{folder}/data/cockpit/proctor")
        with open(f"{folder}/children.d/tree.yaml", "w", encoding="utf-8") as file:
            file.write(tree)
        with open(f"{folder}/bus.conf", "w", encoding="utf-8") as file:
            file.write(BUS.format(folder=folder))
        self.environment = {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={folder}/bus", "XDG_DATA_HOME": f"{folder}/data",
                            "HOME": f"{folder}/home", "PATH": f"{folder}/bin:{os.environ['PATH']}"}
        for name in ("PROCTOR_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS"):
            self.environment.pop(name, None)
        self.run(["dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork"])
        wait_for(lambda: os.path.exists(f"{folder}/bus"))
        self.daemon = self.supervise()

    def run(self, command, log="log"):
        with open(f"{self.folder}/{log}", "ab") as file:
            process = subprocess.Popen(command, env=self.environment, stdin=subprocess.DEVNULL, stdout=file,
                                       stderr=file, start_new_session=True)
        self.started.append(process)
        return process

    def supervise(self):
        daemon = self.run([self.proctord, "--system", "--no-cgroups", f"--manifests={self.folder}/children.d",
                           f"--state-dir={self.folder}/state", f"--runtime-dir={self.folder}/run"], "proctord.log")
        wait_for(lambda: self.ctl("list").returncode == 0)
        return daemon

    def ctl(self, *arguments):
        return subprocess.run(["proctorctl", "--system", *arguments], env=self.environment, capture_output=True, text=True,
                              timeout=60, check=False)

    def cockpit(self, user=None):
        """Returns the address of the page, in a session of this user."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"] if user else []
        self.run([*become, next(filter(os.path.exists, WS)), "--no-tls", "-a", "127.0.0.1", "-p", str(port),
                  f"--local-session={shutil.which('cockpit-bridge')}"], "cockpit.log")

        def answers():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0
        wait_for(answers)
        return f"http://127.0.0.1:{port}/cockpit/@localhost/proctor/index.html"

    def close(self):
        for process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
