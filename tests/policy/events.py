"""The rows of event_table.def, and the fields that each event is given where it is emitted."""
import pathlib
import re

COLUMNS = "kind number word id level audited needs sentence when".split()
STRING = r'"(?:[^"\\]|\\.)*"'


def column(text):
    """NAME and numbers as they are written, texts put together, NULL as None."""
    texts = re.findall(r'"((?:[^"\\]|\\.)*)"', text)
    return "".join(texts).replace('\\"', '"') if texts else None if text == "NULL" else text


def rows(source):
    """One dictionary for each kind of event, in the order of their numbers."""
    table = next(pathlib.Path(source).glob("service/core/**/event_table.def")).read_text(encoding="utf-8")
    table = table[table.index("*/"):]
    value = rf"(?:{STRING}\s*)+|[A-Z_0-9]+"
    found = re.findall(r"^EVENT\(" + r",\s*".join([f"({value})"] * len(COLUMNS)) + r"\)$", table, re.M)
    return [dict(zip(COLUMNS, map(column, row))) for row in found]


def arguments(code, start):
    """What stands in the parenthesis that is opened before start."""
    end, depth = start, 1
    while depth:
        depth += {"(": 1, ")": -1}.get(code[end], 0)
        end += 1
    return code[start:end - 1]


def fields(source):
    """For each kind: its fields and their types, in the order in which they are given."""
    types = {"TEXT": "s", "NUMBER": "t", "SIGNED": "x", "FLAG": "b"}
    given = {}
    for path in sorted(pathlib.Path(source).glob("service/core/**/*.c")):
        code = path.read_text(encoding="utf-8")
        for call in re.finditer(r"\bEMIT\w*\(", code):
            said = arguments(code, call.end())
            for kind in re.findall(r"EVENT_\w+", said):
                for form, field in re.findall(r'FIELD_(\w+)_OF\(\s*"(\w+)"', said):
                    given.setdefault(kind, {}).setdefault(field, types[form])
    return given
