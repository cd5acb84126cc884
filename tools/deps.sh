#!/bin/sh
# Installs what building and testing proctor needs and is missing, after saying what. Asks when
# there is a terminal to ask at, and does not with CI=true.
set -eu

missing=
need() { # COMMAND-OR-PKGCONFIG KIND
    case $2 in
    command) command -v "$1" >/dev/null 2>&1 ;;
    library) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "$1" ;;
    esac || missing="$missing $1"
}
need meson command
need ninja command
need cc command
need pkg-config command
need git command
need dbus-daemon command
need busctl command
need curl command
need python3 command
need clang-format command
need libsystemd library
need yaml-0.1 library
need ncursesw library
need gio-2.0 library
# A second kernel, for the power cuts of the tests: only Debian and its kin have it as a package.
if command -v apt-get >/dev/null 2>&1; then
    need linux.uml command
    need mkfs.ext4 command
fi
[ -z "$missing" ] && exit 0

if command -v apt-get >/dev/null 2>&1; then
    packages="meson ninja-build gcc libc6-dev pkg-config git dbus systemd curl python3 clang-format libsystemd-dev libyaml-dev libncurses-dev libglib2.0-dev user-mode-linux e2fsprogs"
    install="apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages"
elif command -v dnf >/dev/null 2>&1; then
    packages="meson ninja-build gcc pkgconf git dbus-daemon systemd curl python3 clang-tools-extra systemd-devel libyaml-devel ncurses-devel glib2-devel"
    install="dnf install -y -q $packages"
elif command -v pacman >/dev/null 2>&1; then
    packages="meson ninja gcc pkgconf git dbus systemd curl python clang systemd-libs libyaml ncurses glib2"
    install="pacman -Sy --noconfirm --needed $packages"
elif command -v zypper >/dev/null 2>&1; then
    packages="meson ninja gcc pkg-config git dbus-1 systemd curl python3 clang-tools systemd-devel libyaml-devel ncurses-devel glib2-devel"
    install="zypper -n install $packages"
else
    echo "Missing:$missing; and no apt, dnf, pacman or zypper to install it with." >&2
    exit 1
fi

echo "Missing:$missing"
echo "Will be installed: $packages"
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
if [ "${CI:-}" != true ] && [ -t 0 ]; then
    printf 'Go on? [Y/n] '
    read -r answer
    case $answer in [nN]*) exit 1 ;; esac
fi
$sudo sh -c "$install" >/dev/null
