#!/bin/bash
# Completion of proctorctl in bash, zsh and fish, against a real proctord: completion.sh PROCTORD
# PROCTORCTL SOURCE. Prints TAP; a shell that is not installed is skipped.
. "$(dirname "$0")/proctord.sh"
begin "$1" "$2" <<EOF
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
  - {name: worker, exec: [/bin/sleep, "1000"]}
  - {name: cache, exec: [/bin/sleep, "1000"]}
EOF
source=$3

in_bash() { # LINE, as words for COMP_WORDS
    bash --norc -c '
        . "$1/completions/proctorctl.bash"
        COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2)) COMP_LINE="${LINE:-${*:2}}" COMP_POINT=${#COMP_LINE}
        compopt() { :; }
        _proctorctl
        echo "${COMPREPLY[*]}"' bash "$source" "$@"
}

check "bash: a command" "resume restart remove reload reexec" "$(in_bash proctorctl re)"
check "bash: ids" "web worker" "$(in_bash proctorctl pause w)"
check "bash: ids, behind an option" "cache" "$(in_bash proctorctl --quiet restart --wait c)"
for quote in '' '"'; do
    check "bash: ids, at an address$quote" "web worker" "$(
        LINE="proctorctl --address=$quote$PROCTOR_BUS_ADDRESS$quote pause w"
        export LINE
        address=$PROCTOR_BUS_ADDRESS
        unset PROCTOR_BUS_ADDRESS DBUS_SYSTEM_BUS_ADDRESS DBUS_SESSION_BUS_ADDRESS
        in_bash proctorctl --address = "${address%%:*}" : path = "${address#*=}" pause w)"
done
mkdir "$folder/fake"
printf '#!/bin/sh\necho "web active"\necho "w\$(touch>$0.done) active"\n' >"$folder/fake/proctorctl"
chmod +x "$folder/fake/proctorctl"
check "bash: what is no id is not carried out" "web" "$(PATH=$folder/fake:$PATH in_bash proctorctl pause w)"
check "bash: nothing was done" "" "$(ls "$folder/fake" | grep done)"
check "bash: options of the command" "--wait" "$(in_bash proctorctl pause web --w)"
check "bash: a command on another host" "resume restart remove reload reexec" "$(in_bash proctorctl -H a re)"
check "bash: ids of another host are not asked for" "" "$(in_bash proctorctl -H a pause w)"
check "bash: values" "short" "$(in_bash proctorctl --json = sh)"

if command -v fish >/dev/null; then
    in_fish() {
        HOME=$folder fish --no-config -c "source '$source/completions/proctorctl.fish'; complete -C '$1'" |
            cut -f1 | sort | tr '\n' ' ' | sed 's/ $//'
    }
    check "fish: a command" "reexec reload remove restart resume" "$(in_fish 'proctorctl re')"
    check "fish: ids" "web worker" "$(in_fish 'proctorctl pause w')"
    check "fish: options of the command" "--wait" "$(in_fish 'proctorctl pause web --wa')"
else
    skip fish "not installed"
fi

if command -v zsh >/dev/null && command -v tmux >/dev/null; then
    # The line editor itself, in a terminal: what stands there after a Tab.
    terminal() { tmux -f /dev/null -S "$folder/tmux" "$@"; }
    screen() { terminal capture-pane -p | sed 's/ *$//' | grep -v '^$'; }
    shows() { screen | grep -qx -- "$1"; }
    printf '%s\n' "fpath=($source/completions \$fpath)" 'autoload -U compinit' 'compinit -D' \
        "PS1='> '" >"$folder/.zshrc"
    ZDOTDIR=$folder terminal new-session -d -x 80 -y 24 'zsh -d -i'
    until_true shows '>'
    zsh_makes() { # of what is typed, once Tab was pressed
        terminal send-keys "$1" Tab
        until_true shows "> $2"
        screen | tail -1 | sed 's/^> //'
        terminal send-keys C-u
    }
    check "zsh: ids" "proctorctl pause cache" "$(zsh_makes 'proctorctl pause ca' 'proctorctl pause cache')"
    check "zsh: a command" "proctorctl quarantine" "$(zsh_makes 'proctorctl quar' 'proctorctl quarantine')"
    terminal kill-server
else
    skip zsh "zsh or tmux is not installed"
fi

# No command is forgotten.
for command in $("$2" --help | sed -n 's/^  \([a-z|]*\) .*/\1/p' | tr '|' '\n' | sort -u); do
    for file in proctorctl.bash _proctorctl proctorctl.fish; do
        grep -qw -- "$command" "$source/completions/$file" || check "$file knows $command" yes no
    done
done
plan
