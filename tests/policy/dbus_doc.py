#!/usr/bin/env python3
"""dbus_doc.py SOURCE [--write]: docs/dbus.md names what comes back over the bus. The tables of events
and metrics are made from the code (with --write anew), and every key of a dictionary has to be named. TAP."""
import pathlib
import re
import sys

import events

source = pathlib.Path(sys.argv[1])
page = source / "docs/dbus.md"
text = page.read_text(encoding="utf-8")


def read(pattern):
    return [path.read_text(encoding="utf-8") for path in sorted(source.glob(pattern))]


def event_rows():
    """Kind, when, and its fields with their types on the bus."""
    given = events.fields(source)
    return [(row["word"], row["when"],
             ", ".join(f"`{field}` {form}" for field, form in given.get(row["kind"], {}).items()))
            for row in events.rows(source)]


def metrics():
    """Name, help, type and labels, as the code writes them out."""
    rows = []
    for code in read("service/bus/*.c"):
        strings = r'((?:"[^"]*"\s*)+)'
        families = re.findall(r'family\(\w+, "(\w+)", "(\w+)",\s*' + strings, code)
        families += [(name, "child", words) for name, words in
                     re.findall(r'\{"(child_\w+)", ' + strings, code)]
        for name, kind, words in families:
            labels = re.findall(r"proctor_" + name + r"(?:_total)?\{(.*)\}", code)
            labels = {"child": ["child"], "histogram": ["name", "le"]}.get(kind) or re.findall(
                r"(\w+)=", " ".join(labels))
            rows.append(("proctor_" + name, "".join(re.findall(r'"([^"]*)"', words)),
                         ("gauge" if kind == "child" else kind) + " | " +
                         ", ".join(f"`{label}`" for label in dict.fromkeys(labels))))
    return rows


def make(heading, columns, rows):
    head = f"| {heading} | {columns} |\n|" + " --- |" * (2 + columns.count("|")) + "\n"
    return head + "".join(f"| `{name}` | {what} | {rest} |\n" for name, what, rest in rows)


def replace(whole, heading, table):
    return re.sub(rf"^\| {heading} \|.*?\n(?=\n)", lambda _: table, whole, count=1, flags=re.M | re.S)


fresh = replace(text, "kind", make("kind", "when | fields", event_rows()))
fresh = replace(fresh, "name", make("name", "what | type | labels", metrics()))
if "--write" in sys.argv:
    page.write_text(fresh, encoding="utf-8")
    sys.exit(0)

TYPES = {"text": "s", "number": "t", "u32": "u", "signed": "i", "flag": "b"}


def typed_on_the_page():
    """Each key with its type: in the first two columns of a table, or one behind the other."""
    found = set(re.findall(r"`([A-Z]\w+)` (\w+(?:\{\w+\})?)", text))
    for names, types in re.findall(r"^\| ((?:`[A-Z]\w+`(?:, )?)+) \| ([a-z{}, ]+) \|", text, re.M):
        names, types = re.findall(r"\w+", names), types.split(", ")
        found |= set(zip(names, types if len(types) == len(names) else types * len(names)))
    return found


keys, untyped = set(), []
for code in read("service/bus/encode.c") + read("service/bus/job_object.c"):
    for form, key in re.findall(r'append_(\w+)\((?:m|reply), "([A-Z]\w+)"', code):
        if form in TYPES and (key, TYPES[form]) not in typed_on_the_page():
            untyped.append(f"{key} {TYPES[form]}")
for code in read("service/bus/encode.c") + read("service/bus/job_object.c"):
    keys |= set(re.findall(r'(?:append_\w+|open_dictionary)\((?:m|reply), (?:"\w+", )?"([A-Z]\w+)"', code))
lost = sorted(key for key in keys if f"`{key}`" not in text)
stale = [line for line in text.splitlines() if line not in fresh.splitlines()]
checks = [("its tables are those of the code (dbus_doc.py . --write)", stale + [
              line for line in fresh.splitlines() if line not in text.splitlines()]),
          ("each key of an outcome, a report and a job is named", lost),
          ("with the type that it has", untyped)]
for number, (what, wrong) in enumerate(checks, 1):
    print(f"{'not ok' if wrong else 'ok'} {number} - {what}")
    for line in wrong:
        print("#", line)
print(f"1..{len(checks)}")
