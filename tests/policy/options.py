#!/usr/bin/env python3
"""options.py SOURCE PROCTORD PROCTORCTL: commands and options are the same in the tables of the programs, in
their --help, in their manual pages and in the completions of three shells, also which command takes which
option. TAP."""
import pathlib
import re
import subprocess
import sys

source = pathlib.Path(sys.argv[1])
GLOBAL = {"system", "user", "address", "host", "json", "no-legend", "quiet", "requested-by", "help", "version"}
SHORT = {"H": "host", "f": "follow", "m": "reason", "n": "lines", "o": "output"}


def read(path):
    return (source / path).read_text(encoding="utf-8")


def help_of(program):
    return subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout


def options_in(text):
    """Long options, and short ones by their long names."""
    found = set(re.findall(r"(?<![\w-])--([a-z][a-z-]*)", text))
    return found | {SHORT[letter] for letter in re.findall(r"(?<![\w-])-([Hfmno])\b", text)}


def table_of(path):
    return set(re.findall(r'^    \{"([a-z-]+)", (?:no|required|optional)_argument', read(path), re.M))


def page(path):
    return re.sub(r"\\f[BIRP]", "", read(path)).replace("\\-", "-")


# ---- the commands of proctorctl, each with its options

ctl_help = help_of(sys.argv[3])
commands = re.findall(r'^    \{"([a-z-]+)", \d+, -?\d+,', read("service/ctl/main.c"), re.M)


def from_help():
    takes, now = {}, []
    for line in ctl_help.splitlines():
        begins = re.match(r"  ([a-z][a-z|-]*)(?: |$)", line)
        if begins and begins[1] != "proctorctl":
            now = begins[1].split("|")
        elif not line.startswith("   "):
            now = []
        for command in now:
            takes.setdefault(command, set()).update(options_in(line) - GLOBAL)
    return takes


def help_of_one(command):
    return subprocess.run([sys.argv[3], command, "--help"], capture_output=True, text=True, check=True).stdout


def badly_helped(command):
    """What the help of one command lacks: its usage, what each of its options means, an example."""
    text = help_of_one(command)
    said = options_in(re.sub(r".*\nOptions:\n(.*?)\n\n.*", r"\1", text, flags=re.S)) if "\nOptions:\n" in text else set()
    lacks = sorted((by_help[command] | options_in(text.splitlines()[0])) - said)
    if not text.startswith(f"proctorctl {command}") or f"\nExample:\n  proctorctl {command}" not in text:
        lacks.append("usage or example")
    return [f"{command}: {lack}" for lack in lacks if not (command == "stdio-bridge" and lack == "host")]


def from_bash():
    code = read("completions/proctorctl.bash")
    known = re.search(r"local commands='(.*?)'", code, re.S)[1].split()
    takes = {command: set() for command in known}
    for names, options in re.findall(r"^    ([a-z |-]+)\) options\+='(.*?)' ;;", code, re.M):
        for name in names.split(" | "):
            takes[name] = options_in(options)
    return takes


def from_fish():
    code = read("completions/proctorctl.fish")
    variables = dict(re.findall(r"^set -l (\w+) (.*)$", code, re.M))
    takes = {name: set() for name in re.findall(r"-n __fish_use_subcommand -a ([\w-]+)", code)}
    for line in re.findall(r"^complete .* -l .*$", code, re.M):
        where = re.search(r"""-n ["']__fish_seen_subcommand_from ([^"']*)["']""", line)
        words = re.sub(r"\$(\w+)", lambda m: variables[m[1]], where[1]).split() if where else []
        for word in words:
            takes[word].add(re.search(r" -l ([a-z-]+)", line)[1])
    return takes


zsh = read("completions/_proctorctl")
zsh_commands = re.findall(r"^        '([a-z-]+):", zsh, re.M)
zsh_options = set(re.findall(r"--([a-z][a-z-]*)=?\[", zsh)) | set(re.findall(r"--([a-z-]+)=?\}", zsh))
fish = set(re.findall(r"^complete .* -l ([a-z-]+)", read("completions/proctorctl.fish"), re.M))
by_help, by_bash, by_fish = from_help(), from_bash(), from_fish()
table = table_of("service/ctl/main.c")
daemon_help = help_of(sys.argv[2])
daemon_table = table_of("service/command_line.c")


def apart(one, other):
    return sorted(set(one) ^ set(other))


def takes_apart(other):
    return [f"{command}: {' '.join(apart(by_help[command], other.get(command, set())))}"
            for command in sorted(by_help) if by_help[command] != other.get(command, set())]


checks = [
    ("proctorctl: its help has every command of its table", apart(commands, by_help)),
    ("proctorctl COMMAND --help: that command, its options and an example",
     [lack for command in sorted(by_help) for lack in badly_helped(command)]),
    ("proctorctl(1) has every command",
     [c for c in commands if not re.search(rf"^(?:\.B |\.TP\n)?.*\b{c}\b", page("man/proctorctl.1"), re.M)]),
    ("bash knows every command", apart(commands, by_bash)),
    ("fish knows every command", apart(commands, by_fish)),
    ("zsh knows every command", apart(commands, zsh_commands)),
    ("proctorctl: its help has every option of its table",
     [o for o in apart(table, options_in(ctl_help)) if o not in ("help", "version")]),
    ("proctorctl(1) has every option", sorted(table - options_in(page("man/proctorctl.1")))),
    ("zsh knows every option", apart(table, zsh_options)),
    ("fish knows every option", apart(table, fish)),
    ("bash: each command takes what its help says", takes_apart(by_bash)),
    ("fish: each command takes what its help says", takes_apart(by_fish)),
    ("proctord: its help has every option of its table",
     [o for o in apart(daemon_table, options_in(daemon_help)) if o not in ("help", "version")]),
    ("proctord(8) has every option", sorted(daemon_table - options_in(page("man/proctord.8")))),
]
for number, (what, wrong) in enumerate(checks, 1):
    print(f"{'not ok' if wrong else 'ok'} {number} - {what}")
    for line in wrong:
        print("#", line)
print(f"1..{len(checks)}")
