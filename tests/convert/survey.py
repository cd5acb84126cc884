#!/usr/bin/env python3
"""survey.py PROCTORCTL FILE...: converts each file, runs `proctorctl check` on the manifest, and prints
the tables of docs/convert.md: what was carried over, what was lost, what failed. A service is converted
with the sockets and timers beside it that have its name or name it; a FILE may be a service folder of
runit, or a folder of those of s6-rc. Symbolic links (aliases, masked units) are left out, and a file that
has the name and content of an earlier one. A key of a unit counts as lost if `convert` names its line,
even if only a part of its value is lost."""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

RARE = 3  # keys met less often share a row
proctorctl = str(pathlib.Path(sys.argv[1]).resolve())


class Format:
    def __init__(self):
        self.files = self.children = self.carried = self.comments = self.lost = self.failed = 0


def run(*arguments):
    return subprocess.run([proctorctl, *arguments], capture_output=True, text=True, timeout=60)


def format_of(path):
    if path.is_dir():
        return "folders of runit and s6"
    if path.suffix in (".service", ".socket", ".timer"):
        return "systemd units"
    if path.name.startswith("Procfile"):
        return "Procfiles"
    if path.suffix in (".yaml", ".yml"):
        return "Compose files"
    return "Supervisor"


def service_of(path):
    """The service that a socket or timer starts, or the path itself."""
    if path.suffix not in (".socket", ".timer"):
        return path
    named = re.search(r"^(?:Service|Unit)=(.*\.service)$", path.read_text(errors="replace"), flags=re.M)
    service = path.with_name(named[1]) if named else path.with_suffix(".service")
    return service if service.is_file() else path


def gather(names):
    """The arguments of each conversion: a file, or a service with what starts it."""
    seen, groups = set(), {}
    for path in map(pathlib.Path, names):
        content = str(path) if path.is_dir() else path.read_bytes()
        if not path.is_symlink() and (path.name, content) not in seen:
            seen.add((path.name, content))
            groups.setdefault(service_of(path), []).append(path)
    return [sorted(group) for group in groups.values()]


def settings(path):
    """The key of each setting of a unit and its drop-ins."""
    for file in [path, *sorted(pathlib.Path(f"{path}.d").glob("*.conf"))]:
        text = re.sub(r"^[ \t]*[#;].*\n", "", file.read_text(errors="replace"), flags=re.M)
        text = re.sub(r"\\\n", " ", text)
        for key in re.findall(r"^[ \t]*([A-Za-z][A-Za-z0-9]*)[ \t]*=", text, flags=re.M):
            yield key


def try_files(paths, totals, failures):
    """The lost settings, and how the conversion went in the totals."""
    totals.files += len(paths)
    done = run("--json=short", "convert", *map(str, paths))
    if done.returncode != 0:
        totals.failed += 1
        failures.append((paths[0], done.stderr))
        return None
    answer = json.loads(done.stdout)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as manifest:
        manifest.write(answer["manifest"])
        manifest.flush()
        checked = run("check", manifest.name)
    if checked.returncode != 0:
        totals.failed += 1
        failures.append((paths[0], checked.stderr.replace(manifest.name, "its manifest")))
    figures = re.search(r"carried over: (\d+).*comment: (\d+).*lost: (\d+)", done.stderr)
    carried, comments, lost = map(int, figures.groups()) if figures else (0, 0, 0)
    totals.children += len(answer["children"])
    totals.carried += carried
    totals.comments += comments
    totals.lost += lost
    return answer["lost"]


def count_keys(paths, lost, met, gone, why):
    for path in paths:
        met.update(settings(path))
    lines = set()
    for place in lost:
        key = (place["what"] or "").split("=")[0]
        if not re.fullmatch(r"[A-Za-z0-9]+", key) or not place["line"]:
            continue
        lines.add((place["file"], place["line"], key))
        why[key][re.sub("install -d .* [(]", "install -d ... (", place["why"])] += 1
    gone.update(key for _, _, key in lines)


def print_formats(formats):
    print("## By format\n\n| format | files | children | carried over | with a comment | lost | failed |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for name, f in sorted(formats.items()):
        print(f"| {name} | {f.files} | {f.children} | {f.carried} | {f.comments} | {f.lost} | {f.failed} |")


def print_keys(met, gone, why):
    print("\n## Keys of units\n\n| key | met | carried over | lost | why |\n| --- | ---: | ---: | ---: | --- |")
    rare = [key for key in met if met[key] < RARE]
    for key in sorted(set(met) - set(rare), key=lambda key: (-met[key], key)):
        reasons = "; ".join(reason for reason, _ in why[key].most_common(3)).replace("|", "\\|")
        print(f"| {key} | {met[key]} | {met[key] - gone[key]} | {gone[key]} | {reasons} |")
    n, lost = sum(met[key] for key in rare), sum(gone[key] for key in rare)
    print(f"| others ({len(rare)} keys) | {n} | {n - lost} | {lost} | |")


def print_failures(failures):
    print("\n## Failures\n\n| file | in the words of convert, or of check |\n| --- | --- |")
    for path, text in failures:
        first = text.strip().splitlines()[0].removeprefix("proctorctl: ") if text.strip() else "no answer"
        first = first.replace(f"{path.parent}/", "").replace("|", "\\|")
        print(f"| {path.parent.name}/{path.name} | {first} |")


def main():
    formats, failures = collections.defaultdict(Format), []
    met, gone, why = collections.Counter(), collections.Counter(), collections.defaultdict(collections.Counter)
    for paths in gather(sys.argv[2:]):
        kind = format_of(paths[0])
        lost = try_files(paths, formats[kind], failures)
        if lost is not None and kind == "systemd units":
            count_keys(paths, lost, met, gone, why)
    print_formats(formats)
    print_keys(met, gone, why)
    if failures:
        print_failures(failures)


main()
