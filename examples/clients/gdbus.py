#!/usr/bin/python3
"""Lists the children and restarts one: gdbus.py [CHILD]. With GDBus from gi."""
import os
import sys

from gi.repository import Gio, GLib

address = os.environ.get("PROCTOR_BUS_ADDRESS")
flags = (Gio.DBusConnectionFlags.AUTHENTICATION_CLIENT |
         Gio.DBusConnectionFlags.MESSAGE_BUS_CONNECTION)
bus = (Gio.DBusConnection.new_for_address_sync(address, flags, None, None) if address
       else Gio.bus_get_sync(Gio.BusType.SYSTEM, None))


def proxy(interface):
    return Gio.DBusProxy.new_sync(bus, Gio.DBusProxyFlags.NONE, None, "org.proctor1",
                                  "/org/proctor1", interface, None)


for path, interfaces in sorted(proxy("org.freedesktop.DBus.ObjectManager").GetManagedObjects().items()):
    child = interfaces.get("org.proctor1.Child")
    if child:
        print(f"{child['Id']}: {child['Status']}, generation {child['Generation']}")

if len(sys.argv) > 1:
    manager = proxy("org.proctor1.Manager")
    manager.set_default_timeout(120000)  # "wait" may take longer than the usual 25 s
    try:
        outcome = manager.RestartChild(
            "(ssa{sv})", sys.argv[1], "asked for by gdbus.py", {"wait": GLib.Variant("b", True)})
    except GLib.Error as error:
        sys.exit(f"{Gio.DBusError.get_remote_error(error)}: {error.message.split(': ', 2)[-1]}")
    print(f"{outcome['ChildId']}: {outcome['GenerationFence']['Decision']}, now {outcome['Status']}")
