#!/usr/bin/env python3
"""Each member of each record of the core is in sim/checks/records.def, and is compared or says why
it is not: records.py SOURCE. Takes the members from the headers."""
import pathlib
import re
import sys

source = pathlib.Path(sys.argv[1])
table = (source / "sim/checks/records.def").read_text()
agreement = (source / "sim/checks/agreement.c").read_text()
headers = [*(source / "service/core").glob("*.h"), *(source / "service/core/model").glob("*.h")]


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def members_of(body):
    """The names that a struct's body declares, without arrays and types."""
    body = re.sub(r"\b(enum|struct|union)\s*\w*\s*\{[^}]*\}", r"\1 x", without_comments(body))
    for declaration in body.split(";"):
        for name in declaration.split(","):
            found = re.search(r"(\w+)\s*(\[[^\]]*\]\s*)*$", name.strip())
            if found and declaration.strip():
                yield found[1]


def structs():
    for header in headers:
        text = without_comments(header.read_text())
        for found in re.finditer(r"^struct (\w+) \{(.*?)^\}", text, re.S | re.M):
            yield found[1], list(members_of(found[2]))


declared = dict(structs())
rows = {}
for found in re.finditer(r'RECORD_(\w+)\((\w+), (\w+),\s*(AGREEMENT|"[^"]*")\)', table):
    rows.setdefault(found[1].lower(), {})[found[2]] = (found[3], found[4])

problems = []
for record in ("child", "attempt", "supervisor", "group", "job", "outcome", "shutdown_row"):
    if record not in rows:
        problems.append(f"struct {record} is not in records.def")
for record, fields in rows.items():
    there = declared.get(record, [])
    problems += [f"{record}.{m} is in no row of records.def" for m in there if m not in fields]
    problems += [f"{record}.{m} is in records.def and not in the header" for m in fields if m not in there]
    for member, (how, why) in fields.items():
        if why == "AGREEMENT" and not re.search(rf"(->|\.){member}\b", agreement):
            problems.append(f"{record}.{member} is not compared in agreement.c")
        if why == '""':
            problems.append(f"{record}.{member} is left out without a reason")

# And of what is declared: a member is in a table of the test of its archive.
bytes_test = (source / "tests/core/test_declaration.c").read_text()
kept_elsewhere = {"process": "a record", "backoff": "a record", "health": "a pointer", "target": "a record",
                  "limits": "a pointer", "sockets": "a pointer", "directories": "records", "groups": "a pointer", "output": "a record"}
for record in ("child_declaration", "process_spec", "process_output", "process_limit", "socket_spec",
               "health_spec", "command_spec", "command_list", "directory_list", "backoff_settings", "exit_codes", "stop_step", "supervisor_declaration",
               "group_declaration"):
    problems += [f"{record}.{m} is in no table of tests/core/test_declaration.c"
                 for m in declared[record]
                 if m not in kept_elsewhere and not re.search(rf"\b{m}\b", bytes_test)]

for problem in problems:
    print("#", problem)
count = sum(len(fields) for fields in rows.values())
print("not ok" if problems else "ok", f"1 - {count} members of {len(rows)} records are compared or say why not")
print("1..1")
