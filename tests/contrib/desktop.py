#!/usr/bin/python3
"""proctor-notify, the example indicator and the autostart files, on a private session bus with a real proctord and a
notification daemon and a watcher of icons that are made here: desktop.py PROCTORD PROCTORCTL SOURCE. TAP."""
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

try:
    import gi
    from gi.repository import Gio, GLib
except ImportError:
    print("1..0 # SKIP NO python3-gi HERE: THE DESKTOP'S CLIENTS ARE NOT TESTED")
    sys.exit()

SERVICE, PLACE = "org.freedesktop.Notifications", "/org/freedesktop/Notifications"
WATCHER = "org.kde.StatusNotifierWatcher"
XML = """<node><interface name="org.freedesktop.Notifications">
<method name="GetCapabilities"><arg type="as" direction="out"/></method>
<method name="Notify"><arg type="s" direction="in"/><arg type="u" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/>
<arg type="s" direction="in"/><arg type="as" direction="in"/><arg type="a{sv}" direction="in"/><arg type="i" direction="in"/><arg type="u" direction="out"/></method>
<signal name="ActionInvoked"><arg type="u"/><arg type="s"/></signal></interface>
<interface name="org.kde.StatusNotifierWatcher"><method name="RegisterStatusNotifierItem"><arg type="s" direction="in"/></method></interface></node>"""
number = 0
proctord, proctorctl, source = (os.path.realpath(path) for path in sys.argv[1:4])
if os.getuid() == 0:  # a desktop's user is not root, whose folders are those of the machine
    with tempfile.TemporaryDirectory() as place:
        for path in (proctord, proctorctl):
            shutil.copy(path, place)
        shutil.copytree(f"{source}/contrib", f"{place}/contrib")
        subprocess.run(["chmod", "-R", "a+rX", place], check=True)
        shutil.copy(os.path.abspath(__file__), f"{place}/desktop.py")
        sys.exit(subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", sys.executable, f"{place}/desktop.py",
                                 f"{place}/proctord", f"{place}/proctorctl", place], check=False, cwd="/").returncode)
folder = tempfile.mkdtemp()
shown, items, started = [], [], []


def check(what, good, *said):
    global number
    number += 1
    print(f"{'ok' if good else 'not ok'} {number} - {what}", flush=True)
    for one in said if not good else ():
        print("#", str(one).replace("\n", " | ")[:600])


def until(what, seconds=30):
    end = time.monotonic() + seconds
    GLib.timeout_add(50, lambda: time.monotonic() < end + 1)  # the loop wakes up to look
    while not what() and time.monotonic() < end:
        GLib.MainContext.default().iteration(True)
    return what()


def run(command):
    process = subprocess.Popen(command, env=environment, cwd=folder, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=open(f"{folder}/errors", "a"))
    started.append(process)
    return process


def ctl(*arguments, text=None):
    return subprocess.run([proctorctl, "--user", *arguments], env=environment, input=text, capture_output=True, text=True,
                          timeout=30, check=False)


def on_call(_bus, _sender, _path, _interface, method, values, invocation):
    if method == "GetCapabilities":
        invocation.return_value(GLib.Variant("(as)", (["actions", "body", "body-markup"],)))
    elif method == "RegisterStatusNotifierItem":
        items.append(values.unpack()[0])
        invocation.return_value(None)
    else:
        _name, replaces, _icon, summary, body, actions, hints, _time = values.unpack()
        shown.append({"id": replaces or len(shown) + 1, "summary": summary, "body": body, "actions": actions, "hints": hints})
        invocation.return_value(GLib.Variant("(u)", (shown[-1]["id"],)))


def declare(name, more):
    return ctl("add", "-", "--reason=test", text=f"name: {name}\nstdout: null\nbackoff: {{initial: 1ms, max: 1ms}}\n{more}\n")


def of(summary):
    return [one for one in shown if one["summary"] == summary]


def tried(bus):
    def fails(until_there):
        return f'exec: [/bin/sh, -c, "[ -e {folder}/{until_there} ] && exec sleep 1000; exit 3"]\n'
    declare("web", fails("well") + "restart_limit: {burst: 1, interval: 1h}")
    check("a child that is given up is told", until(lambda: of("web is given up")), shown, open(f"{folder}/errors").read()[-1500:], ctl("events").stdout[-900:])
    check("once", len(shown) == 1, shown)
    one = shown[0]
    check("with its reason, as text", "burst is 1" in one["body"] and "<" not in one["body"], one)
    check("and the question why", one["actions"] == ["why", "Why?"], one)
    bus.emit_signal(None, PLACE, SERVICE, "ActionInvoked", GLib.Variant("(us)", (one["id"], "why")))
    check("which is answered in its place", until(lambda: [told for told in of("web") if told["id"] == one["id"] and
                                                           told["body"].startswith("quarantined by policy") and "&quot;" in told["body"]]), shown)
    bus.emit_signal(None, PLACE, SERVICE, "ActionInvoked", GLib.Variant("(us)", (4711, "why")))  # somebody else's
    open(f"{folder}/well", "w").close()
    ctl("resume", "web", "--reason=test")
    check("its recovery replaces it", until(lambda: of("web has recovered")) and of("web has recovered")[0]["id"] == one["id"], shown)
    declare("front", "kind: service\n" + fails("better") + "restart_limit: {burst: 1, interval: 2s, on_limit: cool-down}")
    check("a cool-down is told", until(lambda: of("front cools down")), shown)
    open(f"{folder}/better", "w").close()
    ctl("restart", "front", "--reason=it lasts a minute", "--wait")
    check("and its end", until(lambda: of("front has recovered")), shown)
    told = len(shown)
    ctl("restart", "front", "--reason=test", "--wait")
    check("a restart is nobody's business", len(shown) == told, shown[told:])
    many = "".join(f"  - {{name: n{i}, exec: [/bin/false], stdout: null, restart_limit: {{burst: 0, interval: 1h}}}}\n" for i in range(40))
    ctl("add", "-", "--reason=test", text="supervisor: many\nchildren:\n" + many)
    check("a storm is counted", until(lambda: [one for one in shown if one["summary"].endswith("more children are in trouble")
                                               and int(one["summary"].split()[0]) >= 30]), [one["summary"] for one in shown])
    check("and shows few", len({one["id"] for one in shown}) <= 12, len({one["id"] for one in shown}))


def icon(bus):
    run(["/usr/bin/python3", f"{source}/contrib/desktop/indicator.py"])
    check("the indicator registers", until(lambda: items), open(f"{folder}/errors").read())

    def status():
        if not items:
            return None
        answer = []
        bus.call(items[0], "/StatusNotifierItem", "org.freedesktop.DBus.Properties", "GetAll",
                 GLib.Variant("(s)", ("org.kde.StatusNotifierItem",)), None, 0, 5000, None,
                 lambda by, result: answer.append(by.call_finish(result).unpack()[0]))
        until(lambda: answer)
        return answer[0]
    check("it needs attention while a child has failed", until(lambda: status()["Status"] == "NeedsAttention"), status())
    check("and says how many", "in trouble" in status()["ToolTip"][3], status())
    with open(f"{source}/contrib/desktop/indicator.py", encoding="utf-8") as file:
        check("it has a hundred lines", len(file.readlines()) <= 100)


os.makedirs(f"{folder}/run", mode=0o700)
environment = {**os.environ, "DBUS_SESSION_BUS_ADDRESS": f"unix:path={folder}/bus", "XDG_RUNTIME_DIR": f"{folder}/run",
               "XDG_STATE_HOME": f"{folder}/state", "XDG_CONFIG_HOME": f"{folder}/config", "HOME": folder,
               "PATH": f"{os.path.dirname(proctord)}:{source}/contrib/desktop:{os.environ['PATH']}"}
environment.pop("PROCTOR_BUS_ADDRESS", None)
try:
    run(["dbus-daemon", "--session", f"--address=unix:path={folder}/bus", "--nofork"])
    until(lambda: os.path.exists(f"{folder}/bus"))
    bus = Gio.DBusConnection.new_for_address_sync(environment["DBUS_SESSION_BUS_ADDRESS"],
                                                  Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT | Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
    notifications, watcher = Gio.DBusNodeInfo.new_for_xml(XML).interfaces
    bus.register_object(PLACE, notifications, on_call, None, None)
    bus.register_object("/StatusNotifierWatcher", watcher, on_call, None, None)
    names = []
    for name in (SERVICE, WATCHER):
        Gio.bus_own_name_on_connection(bus, name, 0, lambda _bus, own: names.append(own), None)
    until(lambda: len(names) == 2)
    lines = {}
    for name in ("proctor-notify", "proctord"):  # as a session would: the notifier first, which waits
        with open(f"{source}/contrib/desktop/{name}.desktop", encoding="utf-8") as file:
            lines[name] = next(line[5:].strip() for line in file if line.startswith("Exec="))
        run(shlex.split(lines[name]))
    check("the autostart files start both", until(lambda: ctl("list").returncode == 0), open(f"{folder}/errors").read())
    if shutil.which("desktop-file-validate"):
        said = subprocess.run(["desktop-file-validate", *(f"{source}/contrib/desktop/{name}.desktop" for name in lines)],
                              capture_output=True, text=True, check=False)
        check("and are well formed", said.returncode == 0, said.stdout)
    tried(bus)
    icon(bus)
    with open(f"{folder}/errors", encoding="utf-8") as file:
        said = [line for line in file if "Traceback" in line or line.startswith("proctor-notify")]
    check("nobody complained", not said, said)
finally:
    for process in reversed(started):
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    shutil.rmtree(folder, ignore_errors=True)
print(f"1..{number}")
