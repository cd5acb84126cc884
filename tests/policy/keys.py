#!/usr/bin/env python3
"""keys.py SOURCE [--write]: the keys of a manifest are those of keys.def everywhere: in what reads them, in the
tables of docs/manifest.md, which are made from it (with --write anew; proctor.child(5) is made from that page), in
what the fuzzer makes and in the corpus. TAP."""
import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
COLUMNS = "of path section type default kinds range cost draws meaning".split()
STRING = r'"(?:[^"\\]|\\.)*"'
COSTS = {"IDENTITY": "another child", "IN_PLACE": "in place", "NEXT_START": "next start"}
TYPES = {"TEXT": "text", "BOOL": "`true`, `false`", "DURATION": "duration", "DEADLINE": "duration, `infinity`",
         "LIST": "list", "NAMES": "name, list", "MAPPING": "mapping", "SIGNAL": "signal", "SIZE": "size", "PATH": "path", "PROCESSORS": "numbers, such as `0-3,5`"}


def read(path):
    return (source / path).read_text(encoding="utf-8")


def column(text):
    texts = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    return "".join(texts).replace('\\"', '"') if texts else None if text == "NULL" else text


table = read("service/manifest/keys.def")
value = rf"(?:{STRING}\s*)+|[A-Z_]+"
rows = [dict(zip(COLUMNS, map(column, found))) for found in
        re.findall(r"^KEY\(" + r",\s*".join([f"({value})"] * len(COLUMNS)) + r"\)$", table, re.M)]


# ---- the manual

def expected(row):
    if row["type"] == "WORD":
        return ", ".join(f"`{word}`" for word in row["range"].split())
    return row["range"].replace("..", " to ") if row["range"] else TYPES[row["type"]]


def default(row):
    said = [f"`{row['default']}`"] if row["default"] else []
    said += ["{} `{}`".format(*pair.split(" ", 1)) for pair in (row["kinds"] or "").split(", ") if pair]
    return "; ".join(said)


def sections():
    made = {}
    for row in rows:
        lines = made.setdefault(row["section"], "| key | value | default | a change | meaning |\n"
                                "| --- | --- | --- | --- | --- |\n")
        made[row["section"]] = lines + "| `{}` | {} | {} | {} | {} |\n".format(
            row["path"], expected(row), default(row), COSTS[row["cost"]], row["meaning"])
    return made


def write_manual(text):
    for section, lines in sections().items():
        text = re.sub(rf"(<!-- keys: {section} -->\n).*?(?=\n<!-- end of keys -->)", lambda m: m[1] + "\n" + lines, text,
                      count=1, flags=re.S)
    for cost, number in (("IN_PLACE", 0), ("NEXT_START", 1), ("IDENTITY", 2)):  # the lines of "keys | effect"
        keys = ", ".join(f"`{row['path']}`" for row in rows
                         if row["of"] == "CHILD" and row["cost"] == cost and "." not in row["path"])
        text = re.sub(r"(^\| keys \| effect \|\n.*\n(?:.*\n){%d}\| )[^|]*( \|)" % number,
                      lambda m: m[1] + keys + m[2], text, count=1, flags=re.M)
    return text


def differences(path, write):
    old = read(path)
    new = write(old)
    if "--write" in sys.argv:
        (source / path).write_text(new, encoding="utf-8")
    return [line for line in old.splitlines() if line not in new.splitlines()] + \
           [line for line in new.splitlines() if line not in old.splitlines()]


# ---- what reads them

PREFIXES = {  # of each table of keys, by the function or the name that it has: whose keys, below which
    "child_keys": ("CHILD", ""), "process_keys": ("CHILD", ""), "read_backoff": ("CHILD", "backoff."),
    "read_restart_limit": ("CHILD", "restart_limit."), "read_stop": ("CHILD", "stop."),
    "read_heartbeat": ("CHILD", "heartbeat."), "manifest_read_health": ("CHILD", "health_check."),
    "read_command": ("CHILD", "before."), "read_stdout": ("CHILD", "stdout."), "read_socket": ("CHILD", "sockets."),
    "manifest_read_schedule": ("CHILD", "schedule."), "read_mapping": ("CHILD", "sandbox."),
    "supervisor_keys": ("SUPERVISOR", ""), "read_group": ("GROUP", ""), "read_budget": ("GROUP", "budget."),
    "read_limit": ("SUPERVISOR and GROUP", "restart_limit."),
}


def readers():
    known = set()
    for path in source.glob("service/manifest/*.c"):
        code = path.read_text(encoding="utf-8")
        for found in re.finditer(r"const struct key (\w+)\[\] = \{(.*?)\};", code, re.S):
            functions = re.findall(r"^(?:static )?int (\w+)\(struct reader", code[:found.start()], re.M)
            name = found[1] if found[1] != "keys" else functions[-1]
            of, prefix = PREFIXES.get(name, (name, "an unknown table: "))
            for key in re.findall(r'\{"(\w+)",', found[2]):
                known |= {(whose, prefix + key) for whose in of.split(" and ")}
    return known


here = {(row["of"], row["path"]) for row in rows}
names = {row["path"].split(".")[-1] for row in rows} - {"children"}  # which is there by itself
maker = read("tests/fuzz/maker.c")
corpus = "".join(path.read_text(encoding="utf-8", errors="replace")
                 for path in source.glob("tests/corpus/manifests/good/*.yaml"))
checks = [
    ("every row is read", [] if len(rows) == len(re.findall(r"^KEY\(", table, re.M)) > 0 else ["the rows"]),
    ("docs/manifest.md has its tables (keys.py . --write)", differences("docs/manifest.md", write_manual)),
    ("each table has its place there",
     [name for name in sections() if f"<!-- keys: {name} -->" not in read("docs/manifest.md")]),
    ("each is read, and none else", [" ".join(key) for key in sorted(here ^ readers())]),
    ("the maker of the fuzzers knows each", [name for name in sorted(names) if f'{{"{name}", ' not in maker]),
    ("the corpus has each", [name for name in sorted(names) if not re.search(rf"\b{name}:", corpus)]),
]
for number, (what, wrong) in enumerate(checks, 1):
    print(f"{'not ok' if wrong else 'ok'} {number} - {what}")
    for line in wrong:
        print("#", line)
print(f"1..{len(checks)}")
