#!/usr/bin/env python3
"""english_comments.py SOURCE: comments of C speak the plain English that CONTRIBUTING.md asks for,
also across their line breaks. Prints TAP."""

import pathlib
import re
import sys

WORDS = re.compile(
    r"\b(can not|whoever|whomever|whosever|whom|somebody|everybody who|those who|all who|once more|anew"
    r"|goes on|in the midst|of the moment|for ever)\b",
    re.IGNORECASE,
)
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def found(path):
    text = path.read_text()
    for comment in COMMENT.finditer(text):
        plain = re.sub(r"\s*\n\s*\*?\s*", " ", comment[0])
        for match in WORDS.finditer(plain):
            line = text.count("\n", 0, comment.start()) + 1
            yield f"{path}:{line}: {plain[max(0, match.start() - 30):match.end() + 30]}"


def main():
    source = pathlib.Path(sys.argv[1])
    folders = ["service", "sim", "tests", "examples"]
    for number, folder in enumerate(folders, 1):
        files = sorted(
            path for path in (source / folder).rglob("*") if path.suffix in (".c", ".h", ".def")
        )
        bad = [where for path in files for where in found(path)]
        good = files and not bad
        print(f"{'ok' if good else 'not ok'} {number} - comments of {folder}/, {len(files)} files")
        for where in bad:
            print("# " + where)
    print(f"1..{len(folders)}")


main()
