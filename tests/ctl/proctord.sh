# For the tests of proctorctl: a real proctord in a folder of its own, and TAP. To be sourced.
set -u
n=0
options=() # further ones of proctord; @ stands for the folder

check() { # WHAT EXPECTED GOT
    n=$((n + 1))
    if [ "$2" = "$3" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        printf '%s\n' "$2" >"$folder/expected"
        printf '%s\n' "$3" | diff "$folder/expected" - | head -20 | sed 's/^/# /'
    fi
}

skip() { # WHAT WHY
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

plan() {
    echo "1..$n"
}

is_over() { ! [ -d "/proc/$1" ] || grep -q "^State:.Z" "/proc/$1/status" 2>/dev/null; }

end_process() { # PID: asked first, and killed if that is not enough
    kill "$1" 2>/dev/null
    until_true is_over "$1" || {
        echo "# process $1 did not end when it was asked to"
        kill -9 "$1"
    }
    wait "$1"
}

begin() { # PROCTORD PROCTORCTL, the tree on standard input; @ stands for the folder
    folder=$(mktemp -d)
    mkdir "$folder/bin" "$folder/children.d"
    ln -s "$(realpath "$2")" "$folder/bin/proctorctl"
    PATH=$folder/bin:$PATH
    sed "s:@:$folder:g" >"$folder/children.d/tree.yaml"
    mkfifo "$folder/address" "$folder/never"
    "$1" --private-bus --manifests="$folder/children.d" --state-dir="$folder/state" \
        --runtime-dir="$folder/run" "${options[@]//@/$folder}" >"$folder/address" 2>"$folder/errors" &
    daemon=$!
    trap 'end_process $daemon; rm -rf "$folder"' EXIT
    read -r _ PROCTOR_BUS_ADDRESS <"$folder/address"
    export PROCTOR_BUS_ADDRESS
}

until_true() { # a command, for thirty seconds
    for _ in $(seq 600); do
        "$@" && return
        read -r -t 0.05 <>"$folder/never"
    done
    return 1
}
