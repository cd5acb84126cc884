#!/bin/bash
# generators.sh PROCTORD PROCTORCTL INTROSPECTION SOURCES: clients made of the XML by gdbus-codegen,
# sdbus-c++-xml2cpp and qdbusxml2cpp. All interfaces are generated; where the headers are there, one
# is compiled, and asks a real proctord.
. "$(dirname "$0")/proctord.sh"
xml=$3 sources=$4
begin "$1" "$2" <<'END'
children:
  - {name: web, exec: [/bin/sleep, "1000"]}
END
is_up() { proctorctl is-active web --quiet; }
until_true is_up
generation=0

generate() { # NAME: what make_it makes of each interface
    local name=$1
    mkdir -p "$folder/$name"
    for interface in Manager Supervisor Child Job; do
        local base=$folder/$name/${interface,}
        check "$name: $interface" "0" \
            "$(make_it "$base" "$xml/org.proctor1.$interface.xml" 2>&1 >/dev/null && echo 0)"
    done
}
run() { # NAME COMMAND...: a compiled client
    local name=$1
    shift
    generation=$((generation + 1))
    check "$name: calls" "1 children, generation $generation" \
        "$(DBUS_SYSTEM_BUS_ADDRESS=$PROCTOR_BUS_ADDRESS "$@" web 2>&1)"
}

name=gdbus-codegen
if command -v gdbus-codegen >/dev/null; then
    make_it() { gdbus-codegen --interface-prefix org.proctor1. --generate-c-code "$1" "$2"; }
    generate $name
    if pkg-config --exists gio-unix-2.0 2>/dev/null &&
        ${CC:-cc} -I"$folder/$name" "$sources/gdbus.c" "$folder/$name/manager.c" -o "$folder/$name/client" \
            $(pkg-config --cflags --libs gio-unix-2.0) 2>"$folder/why"; then
        run $name "$folder/$name/client"
    else
        skip "$name: a client" "GLib's headers are not there, or: $(head -1 "$folder/why" 2>/dev/null)"
    fi
else
    skip $name "is not installed"
fi

name=sdbus-c++-xml2cpp
if command -v sdbus-c++-xml2cpp >/dev/null; then
    make_it() { sdbus-c++-xml2cpp "$2" --proxy="$1.h"; }
    generate $name
    if pkg-config --exists sdbus-c++ 2>/dev/null && command -v c++ >/dev/null; then
        c++ -std=c++17 -I"$folder/$name" "$sources/sdbuscpp.cpp" -o "$folder/$name/client" \
            $(pkg-config --cflags --libs sdbus-c++)
        run $name "$folder/$name/client"
    else
        skip "$name: a client" "the headers of sdbus-c++ are not there"
    fi
else
    skip $name "is not installed"
fi

name=qdbusxml2cpp
if command -v qdbusxml2cpp >/dev/null; then
    make_it() { qdbusxml2cpp -N -i types.h -p "$1" "$2"; }
    generate $name
    if pkg-config --exists Qt5DBus 2>/dev/null && command -v moc >/dev/null; then
        moc "$folder/$name/manager.h" -o "$folder/$name/manager.moc.cpp"
        c++ -std=c++17 -fPIC -I"$folder/$name" -I"$sources" "$sources/qt.cpp" "$folder/$name/manager.cpp" \
            "$folder/$name/manager.moc.cpp" -o "$folder/$name/client" $(pkg-config --cflags --libs Qt5DBus)
        run $name "$folder/$name/client"
    else
        skip "$name: a client" "the headers of Qt are not there"
    fi
else
    skip $name "is not installed"
fi
plan
