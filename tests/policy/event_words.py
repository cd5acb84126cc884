#!/usr/bin/env python3
"""event_words.py SOURCE: the table of the words of an event (event_table.def) says what is so: each sentence
speaks of fields that the event has, each message id is one and is explained where it is audited. TAP."""
import pathlib
import re
import sys

import events

source = pathlib.Path(sys.argv[1])
rows = events.rows(source)
fields = events.fields(source)
story = (source / "service/ctl/story.c").read_text(encoding="utf-8")
explained = re.findall(r"^-- ([0-9a-f]{32})\nSubject: \S", (source / "policy/proctor.catalog").read_text(), re.M)
table = next(source.glob("service/core/**/event_table.def")).read_text(encoding="utf-8")


def missing(row):
    """Fields that its sentence or `needs` speaks of, and that it has not."""
    known = set(fields.get(row["kind"], {})) | {"generation", "attempt", "child"}
    said = re.findall(r"\{(\w+)[!}]", row["sentence"] or "")
    said += [row["needs"]] if row["needs"] not in (None, "-") else []
    return [f"{row['word']}: {field}" for field in said if field not in known]


ids = [row["id"] for row in rows]
checks = [
    ("every row is read", [] if len(rows) == len(re.findall(r"^EVENT\(", table, re.M)) > 0 else ["the rows"]),
    ("the numbers are in order, without a gap",
     [row["word"] for i, row in enumerate(rows) if int(row["number"]) != i]),
    ("a word is its name", [row["word"] for row in rows
                            if "EVENT_" + row["word"].upper().replace("-", "_") != row["kind"]]),
    ("a message id has 32 digits and is one of its own",
     [i for i in ids if not re.fullmatch("[0-9a-f]{32}", i) or ids.count(i) > 1]),
    ("each event of the audit is explained in the catalog",
     [row["word"] for row in rows if row["audited"] == "AUDITED" and row["id"] not in explained]),
    ("the catalog explains no other",
     [i for i in explained if i not in [row["id"] for row in rows if row["audited"] == "AUDITED"]]),
    ("each has a sentence, or a function that writes one",
     [row["word"] for row in rows if not row["sentence"] and f"{{{row['kind']}, write_" not in story]),
    ("each sentence speaks of fields that the event has", [word for row in rows for word in missing(row)]),
    ("each has a word about when it comes", [row["word"] for row in rows if not row["when"]]),
]
for number, (what, wrong) in enumerate(checks, 1):
    print(f"{'not ok' if wrong else 'ok'} {number} - {what}")
    for line in wrong:
        print("#", line)
print(f"1..{len(checks)}")
