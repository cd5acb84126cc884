#!/usr/bin/python3
"""Lists the children and restarts one: dbus_python.py [CHILD]. With dbus-python."""
import os
import sys

import dbus

address = os.environ.get("PROCTOR_BUS_ADDRESS")
bus = dbus.bus.BusConnection(address) if address else dbus.SystemBus()
objects = dbus.Interface(bus.get_object("org.proctor1", "/org/proctor1"),
                         "org.freedesktop.DBus.ObjectManager")

for path, interfaces in sorted(objects.GetManagedObjects().items()):
    child = interfaces.get("org.proctor1.Child")
    if child:
        print(f"{child['Id']}: {child['Status']}, generation {child['Generation']}")

if len(sys.argv) > 1:
    manager = dbus.Interface(bus.get_object("org.proctor1", "/org/proctor1"),
                             "org.proctor1.Manager")
    try:
        outcome = manager.RestartChild(sys.argv[1], "asked for by dbus_python.py",
                                       {"wait": True},
                                       timeout=120)  # it may take longer than the usual 25 s
    except dbus.DBusException as error:
        sys.exit(f"{error.get_dbus_name()}: {error.get_dbus_message()}")
    print(f"{outcome['ChildId']}: {outcome['GenerationFence']['Decision']}, now {outcome['Status']}")
