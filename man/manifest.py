#!/usr/bin/env python3
"""proctor.child(5) from docs/manifest.md, so that the two cannot disagree: manifest.py VERSION FILE

Writes the page; test `pages` compares it with the one that is kept in man/."""
import re
import sys
import textwrap

HEAD = """.TH PROCTOR.CHILD 5 "2026-11-21" "proctor {version}" "proctor"
.SH NAME
proctor.child \\- manifests of proctor's children, supervisors and jobs
.SH SYNOPSIS
/etc/proctor/children.d/*.yaml
.br
$XDG_CONFIG_HOME/proctor/children.d/*.yaml"""
TAIL = """.SH SEE ALSO
.BR proctorctl (1),
.BR proctord (8),
.BR org.proctor1 (5),
.BR sd_notify (3),
.BR sd_listen_fds (3)"""
MARKED = re.compile(r"(`` ` ``|`[^`]*`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)")


def escaped(text):
    return text.replace("\\", "\\e").replace("-", "\\-")


def guarded(line):
    return "\\&" + line if line.startswith((".", "'")) else line


def inline(text):
    """One paragraph's marks and links: a link within the page names its section."""
    text = re.sub(r"\s*\(see \[[^\]]*\]\([^)]*\)\)", "", re.sub(r"\s+", " ", text))
    text = re.sub(r"\b([Ss]ee|under) \[([^\]]*)\]\([^)]*\)", lambda m: f"{m[1]} {m[2].upper()}", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text)
    out = ""
    for part in MARKED.split(text):
        if part == "`` ` ``":
            out += "\\fB\\`\\fR"
        elif part.startswith("`"):
            out += f"\\fB{escaped(part[1:-1])}\\fR"
        elif part.startswith("**"):
            out += f"\\fB{escaped(part[2:-2])}\\fR"
        elif part.startswith("*") and len(part) > 2:
            out += f"\\fI{escaped(part[1:-1])}\\fR"
        else:
            out += escaped(part)
    return "\n".join(guarded(line) for line in textwrap.wrap(out, 116, break_long_words=False,
                                                             break_on_hyphens=False))


def code(block):
    return [".nf", ".RS 4", *(guarded(escaped(line)) for line in block.split("\n")[1:-1]), ".RE", ".fi"]


def row(line, columns):
    cells = [cell.strip() for cell in re.split(r"\|(?:\s|$)", line.strip()[1:])]
    text = cells[columns - 1]
    if columns == 5:  # of keys.def: key, value, default, a change, meaning
        text = text[:1].upper() + text[1:].rstrip(":") + "."
        text += f" One of {cells[1]}." if cells[1].startswith("`") else f" {cells[1].capitalize()}."
        text += f" Default: {cells[2]}." if cells[2] else ""
        text += " A change waits for the next start." if cells[3] == "next start" else ""
    if columns == 3:
        text = text[:1].upper() + text[1:]
        text += "." if text and not text.endswith(".") else ""
        default = cells[1]
        text += " Required." if default == "required" else f" Default: {default}." if default else ""
    return [".TP", inline(cells[0]), inline(text.strip()) or "\\&"]


def cells_of(line):
    return [cell.strip() for cell in re.split(r"\|(?:\s|$)", line.strip()[1:])][:-1]


def plain_row(line, head):
    """A row of a table that has no defaults: what its later columns say, those that need it with their heading."""
    name, *others = cells_of(line)
    said = [f"{title}: {cell}" if title in ("type", "fields", "labels") else cell
            for title, cell in zip(head[1:], others) if cell]
    return [".TP", inline(name), inline("; ".join(each.rstrip(".") for each in said)) or "\\&"]


def table(block):
    lines = block.split("\n")
    head = cells_of(lines[0])
    if "default" not in head:
        return [line for each in lines[2:] for line in plain_row(each, head)]
    return [line for each in lines[2:] for line in row(each, len(head))]


def section(body):
    out = []
    for block in re.split(r"\n\n+", re.sub(r"<!--.*-->\n*", "", body).strip("\n")):
        before = out[-1] if out else ""
        prose, *items = re.split(r"\n?^- ", block, flags=re.M)
        if out and before != ".PP" and not before.startswith(".SS") and not block.startswith(("|", "### ")) and prose:
            out.append(".PP")
        if block.startswith("```"):
            out += code(block)
            continue
        if block.startswith("### "):
            out.append(f'.SS "{block[4:]}"')
            continue
        if block.startswith("|"):
            out += table(block)
        else:
            out += [inline(prose)] if prose else []
            for item in items:
                out += [".IP \\(bu 2", inline(item)]
    return out


def sections(path):
    """The text before the first heading, and each section with its title."""
    with open(path, encoding="utf-8") as page:
        before, *parts = re.split(r"^## (.*)\n", page.read(), flags=re.M)
    return before.split("\n", 1)[1], list(zip(parts[::2], parts[1::2]))


def main(version, path):
    before, parts = sections(path)
    print(HEAD.format(version=version))
    print("\n".join([".SH DESCRIPTION", *section(before)]))
    for title, body in parts:
        print("\n".join([f'.SH "{title.upper()}"', *section(body)]))
    print(TAIL)


if __name__ == "__main__":
    main(*sys.argv[1:])
