#!/usr/bin/env python3
"""calendar_table.py [N]: writes a table of what systemd-analyze calendar says of N drawn expressions.

A row: base;zone;expression;times. base and times are seconds since 1970 in UTC; zone is a rule as in
TZ; times are `invalid`, `never`, or the next three. tests/corpus/calendar/systemd-252.txt was made
with systemd 252. In zones with summer time only hours that no change touches are drawn: there
systemd leaves out a day, and proctor does not (docs/decisions.md, "When an hour is left out").
"""
import calendar
import random
import re
import subprocess
import sys
import time

ZONES = [("UTC", "UTC0"), ("Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3"),
         ("America/New_York", "EST5EDT,M3.2.0,M11.1.0"), ("Asia/Kolkata", "IST-5:30"),
         ("Australia/Lord_Howe", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"),
         ("America/Sao_Paulo", "<-03>3")]
DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Monday", "wednesday", "SUNDAY"]
rng = random.Random(252)


def written(value):
    return f"{value:02d}" if rng.random() < 0.5 else str(value)


def field(low, high, star=0.4, beyond=0.01):
    if rng.random() < star:
        return "*"
    parts = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        first = rng.randint(low, high + (1 if rng.random() < beyond else 0))
        text = written(first)
        if rng.random() < 0.25:
            text += ".." + written(rng.randint(low if rng.random() < 0.05 else min(first, high), high))
        if rng.random() < 0.2:
            text += "/" + str(rng.randint(0 if rng.random() < 0.02 else 1, max(1, (high - low) // 2)))
        parts.append(text)
    return ",".join(parts)


def weekdays():
    parts = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        first = rng.randrange(10)
        text = DAYS[first]
        if rng.random() < 0.3:
            text += rng.choice(["..", "-"]) + rng.choice(DAYS[first:7] or DAYS)
        parts.append(text)
    return ",".join(parts)


def expression(low_hour):
    if rng.random() < 0.02:
        return rng.choice(["daily", "weekly", "Monthly", "yearly", "quarterly", "semiannually", "hourly", "minutely"])
    parts = []
    if rng.random() < 0.3:
        parts.append(weekdays())
    if rng.random() < 0.6:
        year = rng.choice(["*-", "*-", "*-", "", field(2026, 2060, 0.3) + "-"])
        parts.append(year + field(1, 12) + rng.choice("----~") + field(1, 31, 0.3))
    if rng.random() < 0.8 or not parts:
        text = field(low_hour, 23, 0 if low_hour else 0.4) + ":" + field(0, 59)
        parts.append(text + (":" + field(0, 59, 0.1) if rng.random() < 0.4 else ""))
    return " ".join(parts)


def ask(base, zone, text):
    stamp = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(base))
    out = subprocess.run(["systemd-analyze", "calendar", "--iterations=3", "--base-time=" + stamp,
                          text + ("" if zone == "UTC" else " " + zone)],
                         env={"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"}, capture_output=True, text=True)
    if out.returncode:
        return "invalid"
    times = re.findall(r"(?:Next elapse|Iter\. #\d|Iteration #\d): \w+ (\S+ \S+) UTC", out.stdout)
    return " ".join(str(calendar.timegm(time.strptime(t, "%Y-%m-%d %H:%M:%S"))) for t in times) or "never"


for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 3700):
    zone, rule = rng.choice(ZONES) if rng.random() < 0.5 else ZONES[0]
    base = rng.randint(1767225600, 2082758400)
    text = expression(5 if "," in rule else 0)
    if "," in rule and not re.search(r"\d:|\*:", text):
        continue  # midnight is no problem in these zones, words are
    if re.search(r"~[^ ]*,", text):
        continue  # a list of days from the end: systemd refuses some, its manual does not say which
    if re.search(r"\b0?(\d+)\.\.0?\1\b", text):
        continue  # a range of one value: systemd refuses it for seconds only
    print(base, rule, text, ask(base, zone, text), sep=";")
