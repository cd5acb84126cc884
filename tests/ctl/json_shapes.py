"""json_shapes.py SOURCE ANSWERS [--write]: compares the shapes of answers with the table of docs/dbus.md, or
writes it anew. ANSWERS has lines "== COMMAND" and what was answered. TAP."""
import json
import pathlib
import re
import sys

OPEN = {"fields", "failure", "last_exit", "pending_restart", "last_stale_report"}  # what is in them, others tell
page = pathlib.Path(sys.argv[1]) / "docs/dbus.md"
text = page.read_text(encoding="utf-8")
HEAD = "| command | answers with |\n| --- | --- |\n"


def shape(value, name=""):
    if isinstance(value, dict):
        return "object" if name in OPEN else {key: shape(inner, key) for key, inner in value.items()}
    if isinstance(value, list):
        merged = None
        for inner in value:
            merged = merge(merged, shape(inner))
        return [merged]
    return {type(None): None, bool: "flag", int: "number", float: "number", str: "text"}[type(value)]


def merge(one, other):
    """What both are: null may be anything."""
    if one is None or other is None:
        return other if one is None else one
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: merge(one.get(key), other.get(key)) for key in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list):
        return [merge(one[0], other[0])]
    return one if one == other else "text or number"


def told(what):
    if isinstance(what, dict):
        return "{" + ", ".join(key if inner is None else f"{key}: {told(inner)}" for key, inner in what.items()) + "}"
    if isinstance(what, list):
        return f"[{told(what[0]) if what[0] else ''}]"
    return what or "null"


shapes, broken = {}, []
for command, answer in re.findall(r"^== (.*)\n((?:(?!== ).*\n?)*)", pathlib.Path(sys.argv[2]).read_text(), re.M):
    try:
        shapes[command] = merge(shapes.get(command), shape(json.loads(answer)))
    except ValueError:
        broken.append(f"{command}: {answer[:300]}")
table = HEAD + "".join(f"| `{command}` | `{told(what)}` |\n" for command, what in shapes.items())
fresh = re.sub(re.escape(HEAD) + r"(?:\|.*\n)*", lambda _: table, text, count=1)
if "--write" in sys.argv:
    page.write_text(fresh, encoding="utf-8")
old, new = ([" ".join(sorted(line.split(" "))) if line.startswith("| `") else line for line in each.splitlines()]
            for each in (text, fresh))  # in whatever order the keys come
different = [line for line in old if line not in new] + [line for line in new if line not in old]
for number, (what, wrong) in enumerate([("every answer is JSON", broken),
                                        ("docs/dbus.md has their shapes (json_shapes.sh ... --write)", different)], 1):
    print(f"{'not ok' if wrong else 'ok'} {number} - {what}")
    for line in wrong:
        print("#", line)
print("1..2")
