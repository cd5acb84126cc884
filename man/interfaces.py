#!/usr/bin/env python3
"""org.proctor1(5) from the introspection XML, and from docs/dbus.md what comes back: interfaces.py VERSION
DBUS.MD XML..."""
import sys
import xml.etree.ElementTree as tree

sys.dont_write_bytecode = True
import manifest  # pages from Markdown

DOC = "{http://www.freedesktop.org/dbus/1.0/doc.dtd}"
KINDS = (("method", "METHODS"), ("property", "PROPERTIES"), ("signal", "SIGNALS"))
EMITS = "org.freedesktop.DBus.Property.EmitsChangedSignal"
PATHS = {"Manager": "/org/proctor1", "Child": "/org/proctor1/child/ID",
         "Supervisor": "/org/proctor1/supervisor/root/PATH", "Job": "/org/proctor1/job/NUMBER"}


def escaped(text):
    text = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + text if text.startswith((".", "'")) else text


def summary(element):
    found = [each for each in element.iter() if each.tag.endswith("summary")]
    return escaped(found[0].text) if found else ""


def arguments(element, direction):
    return ", ".join(f"{each.get('type')} {each.get('name')}" for each in element.findall("arg")
                     if each.get("direction", "out") == direction)


def heading(element):
    name = element.get("name")
    if element.tag == "method":
        answer = arguments(element, "out")
        return f"{name}({arguments(element, 'in')})" + (f" \\(-> {answer}" if answer else "")
    if element.tag == "signal":
        return f"{name}({arguments(element, 'out')})"
    return f"{element.get('type')} {name}"


def notes(element):
    said = []
    if element.get("access") == "readwrite":
        said.append("Writable.")
    for each in element.findall("annotation"):
        if each.get("name") == EMITS:
            said.append({"const": "Never changes.", "false": "Changes without a signal.",
                         "invalidates": "Changes are signalled without the new value."}
                        .get(each.get("value"), ""))
    return " ".join(said)


print(f'.TH ORG.PROCTOR1 5 "2026-11-21" "proctor {sys.argv[1]}" "proctor"')
print(""".SH NAME
org.proctor1 \\- the D\\-Bus interface of proctord
.SH DESCRIPTION
.BR proctord (8)
owns the name
.B org.proctor1
on the system bus, the session bus or a private bus. Its objects can be listed with
.BR busctl (1)
.BR tree ,
and through org.freedesktop.DBus.ObjectManager at /org/proctor1. In object paths, each character of an id that is
not a letter or a digit is written as _ and two hexadecimal digits: the child web\\-1 is
/org/proctor1/child/web_2d1.
.PP
Each method that changes something takes a reason, which must not be blank, and options (a{sv}):
requested\\-by (s), idempotency\\-key (s; a call with the same key within a minute returns the first reply and does
nothing), wait (b; the reply is sent when the effect is complete), wait\\-usec (t; the time limit of wait, by default
an hour, 7 days if it is 0), dry\\-run (b). If the time limit expires, the outcome has TimedOut (b), WaitsFor (s: what
it is waiting for) and Explanation (s), and the operation continues. Reason, requested\\-by and idempotency\\-key are
one line without tabs and other control characters.
.PP
In outgoing texts, characters that D\\-Bus does not allow are replaced by ?, and control characters by a space.
Manifest and GetMetrics keep their line ends and tabs.
.PP
The errors are org.proctor1.Error. with NoSuchChild, ChildExists, InvalidManifest (with line and column),
InvalidArgument (with the name of the argument), ShuttingDown, LimitExceeded, NotDurable, CannotReexecute or TimedOut
(of AddChild and Reexecute, whose replies have no room for it), and org.freedesktop.DBus.Error.AccessDenied.""")
for path in sys.argv[3:]:
    for interface in tree.parse(path).getroot().iter("interface"):
        name = interface.get("name")
        if not name.startswith("org.proctor1."):
            continue
        print(f'.SH "{name.upper()}"')
        text = [each for each in interface if each.tag.endswith("doc")]
        print(f"At {PATHS[name.rsplit('.', 1)[1]]}.".replace("-", "\\-"))
        if text and summary(text[0]):
            print(summary(text[0]))
        for kind, title in KINDS:
            elements = interface.findall(kind)
            if elements:
                print(f".SS {title.capitalize()}")
            for element in elements:
                print(f".TP\n\\fB{escaped(heading(element)) if kind != 'method' else heading(element)}\\fR")
                print(summary(element) or "\\&")
                if kind == "property" and notes(element):
                    print(notes(element))
before, parts = manifest.sections(sys.argv[2])
print("\n".join(['.SH "WHAT COMES BACK"', *manifest.section(before.split("\n\n", 1)[1])]))
for title, body in parts:
    print("\n".join([f'.SS "{title}"', *manifest.section(body)]))
print(""".SH SEE ALSO
.BR proctord (8),
.BR proctorctl (1),
.BR proctor.child (5),
.BR busctl (1)""")
