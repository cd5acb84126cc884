#!/bin/bash
# english.sh SOURCE: phrases that a native writer would not use have ended, and stay so: in what users
# read, and the worst of them in comments too (CONTRIBUTING.md has what to say instead). Prints TAP.
source=$1 n=0

check() { # WHAT FOUND
    n=$((n + 1))
    if [ -z "$2" ]; then echo "ok $n - $1"; else
        echo "not ok $n - $1"
        echo "$2" | sed 's/^/# /'
    fi
}

read_by_users='can not|whomever|whoever|of the moment|once more|in the midst|\banew\b|looked at|for ever\b'
read_by_users+='|\b(is|are) told\b|\bgo(es)? on\b|\bon (its|their) way\b|\b(is|are) under way\b'
read_by_users+='|\bwho may\b|\bare there already\b|\bwhat it is\b|\bthe time is up\b|\bcannot be had\b'
in_comments='can not|whomever|of the moment|in the midst'

cd "$source" || exit 1
check "manual pages, README, guide, interfaces, completions and packages" "$(
    grep -nE "$read_by_users" README.md docs/{architecture,dbus,durability,erlang,guide,manifest,proof,simulator}.md \
        man/*.[158] man/interfaces.py introspection/*.xml completions/* policy/* debian/control)"
# A string of more than one line is two to grep: what stands across the break is not found.
check "strings of the programs" "$(
    grep -rnE "^[^/]*\"[^\"]*($read_by_users)" --include='*.c' --include='*.def' service sim)"
check "comments and the rest" "$(
    grep -rnE "$in_comments" --include='*.[ch]' --include='*.sh' --include='*.py' --include='*.def' \
        service sim examples man)"
echo "1..$n"
