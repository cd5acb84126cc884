#!/usr/bin/python3
"""An example: a status icon (StatusNotifierItem) that needs attention while a child of the user's proctord has failed."""
import os
import sys

import gi

gi.require_version("Gio", "2.0")
from gi.repository import Gio, GLib  # noqa: E402

INTERFACE = """<node><interface name="org.kde.StatusNotifierItem">
  <property name="Category" type="s" access="read"/><property name="Id" type="s" access="read"/>
  <property name="Title" type="s" access="read"/><property name="Status" type="s" access="read"/>
  <property name="IconName" type="s" access="read"/><property name="AttentionIconName" type="s" access="read"/>
  <property name="ToolTip" type="(sa(iiay)ss)" access="read"/><property name="ItemIsMenu" type="b" access="read"/>
  <method name="Activate"><arg type="i" direction="in"/><arg type="i" direction="in"/></method>
  <signal name="NewStatus"><arg type="s"/></signal><signal name="NewToolTip"/>
</interface></node>"""
ITEM, PLACE = "org.kde.StatusNotifierItem", "/StatusNotifierItem"
WATCHER = "org.kde.StatusNotifierWatcher"


class Indicator:
    def __init__(self, bus):
        self.bus, self.counts = bus, None
        self.name = f"{ITEM}-{os.getpid()}-1"
        information = Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0]
        bus.register_object(PLACE, information, self.on_call, self.on_get, None)
        Gio.bus_own_name_on_connection(bus, self.name, 0, None, None)
        bus.signal_subscribe(None, "org.freedesktop.DBus.Properties", "PropertiesChanged", "/org/proctor1",
                             "org.proctor1.Manager", 0, lambda *_: self.look())
        Gio.bus_watch_name_on_connection(bus, "org.proctor1", 0, lambda *_: self.look(), lambda *_: self.show(None))
        Gio.bus_watch_name_on_connection(bus, WATCHER, 0, lambda *_: self.register(), None)

    def register(self):
        self.bus.call(WATCHER, "/StatusNotifierWatcher", WATCHER, "RegisterStatusNotifierItem",
                      GLib.Variant("(s)", (self.name,)), None, 0, 5000, None, None)

    def look(self):
        def done(bus, result):
            try:
                self.show(bus.call_finish(result).unpack()[0])
            except GLib.Error:
                self.show(None)
        self.bus.call("org.proctor1", "/org/proctor1", "org.freedesktop.DBus.Properties", "GetAll",
                      GLib.Variant("(s)", ("org.proctor1.Manager",)), None, Gio.DBusCallFlags.NO_AUTO_START, 5000, None, done)

    def show(self, manager):
        self.counts = manager and tuple(manager[key] for key in ("NChildren", "NActive", "NFailed"))
        self.bus.emit_signal(None, PLACE, ITEM, "NewStatus", GLib.Variant("(s)", (self.status(),)))
        self.bus.emit_signal(None, PLACE, ITEM, "NewToolTip", None)

    def status(self):
        if not self.counts:
            return "Passive"
        return "NeedsAttention" if self.counts[2] else "Active"

    def sentence(self):
        if not self.counts:
            return "proctord is not running"
        children, active, bad = self.counts
        return f"{active} of {children} children are running" + (f", {bad} in trouble" if bad else "")

    def on_get(self, _bus, _sender, _path, _interface, name):
        return {
            "Category": lambda: GLib.Variant("s", "SystemServices"),
            "Id": lambda: GLib.Variant("s", "proctor"),
            "Title": lambda: GLib.Variant("s", "Supervised processes"),
            "Status": lambda: GLib.Variant("s", self.status()),
            "IconName": lambda: GLib.Variant("s", "system-run"),
            "AttentionIconName": lambda: GLib.Variant("s", "dialog-warning"),
            "ToolTip": lambda: GLib.Variant("(sa(iiay)ss)", ("system-run", [], "proctor", self.sentence())),
            "ItemIsMenu": lambda: GLib.Variant("b", False),
        }[name]()

    def on_call(self, _bus, _sender, _path, _interface, _method, _values, invocation):
        GLib.spawn_async(["x-terminal-emulator", "-e", "proctorctl", "--user", "top"], flags=GLib.SpawnFlags.SEARCH_PATH)
        invocation.return_value(None)


try:
    Indicator(Gio.bus_get_sync(Gio.BusType.SESSION))
except GLib.Error as error:
    sys.exit(f"indicator: {error.message}")
GLib.MainLoop().run()
