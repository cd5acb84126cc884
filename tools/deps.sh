#!/bin/sh
# deps.sh [build|demo|test]: installs what is missing of what building proctor, its demo or its tests
# need, after saying what. Asks when there is a terminal to ask at, and does not with CI=true.
# Without an argument: what the tests need.
set -eu
for=${1:-test}

manager=
for candidate in apt-get dnf pacman zypper; do
    [ -n "$manager" ] || ! command -v $candidate >/dev/null 2>&1 || manager=$candidate
done

# What is needed, how that is seen, and the packages that bring it: Debian's and Ubuntu's, Fedora's,
# Arch's, openSUSE's. -: there is none, and it is gone without.
build='
meson                   command  meson           meson            meson         meson
ninja                   command  ninja-build     ninja-build      ninja         ninja
cc                      command  gcc             gcc              gcc           gcc
/usr/include/assert.h   file     libc6-dev       glibc-headers    glibc         glibc-devel
pkg-config              command  pkg-config      pkgconf          pkgconf       pkg-config
python3                 command  python3         python3          python        python3
libsystemd              library  libsystemd-dev  systemd-devel    systemd-libs  systemd-devel
yaml-0.1                library  libyaml-dev     libyaml-devel    libyaml       libyaml-devel
ncursesw                library  libncurses-dev  ncurses-devel    ncurses       ncurses-devel
libseccomp              library  libseccomp-dev  libseccomp-devel libseccomp    libseccomp-devel
'
demo='
dbus-daemon             command  dbus            dbus-daemon      dbus          dbus-1
busctl                  command  systemd         systemd          systemd       systemd
curl                    command  curl            curl             curl          curl
'
test='
git                     command  git             git              git           git
bwrap                   command  bubblewrap      bubblewrap       bubblewrap    bubblewrap
ps                      command  procps          procps-ng        procps-ng     procps
clang-format            command  clang-format    clang-tools-extra  clang       clang-tools
gio-2.0                 library  libglib2.0-dev  glib2-devel      glib2         glib2-devel
linux.uml               command  user-mode-linux  -               -             -
mkfs.ext4               command  e2fsprogs       e2fsprogs        e2fsprogs     e2fsprogs
'
case $for in
build) table=$build ;;
demo) table=$build$demo ;;
test) table=$build$demo$test ;;
*)
    echo "usage: deps.sh [build|demo|test]" >&2
    exit 2
    ;;
esac

is_there() { # WHAT KIND
    case $2 in
    command) command -v "$1" >/dev/null 2>&1 ;;
    file) [ -e "$1" ] ;;
    library) command -v pkg-config >/dev/null 2>&1 && pkg-config --exists "$1" ;;
    esac
}

missing= packages=
while read -r what kind debian fedora arch suse; do
    [ -n "$what" ] || continue
    ! is_there "$what" "$kind" || continue
    case $manager in
    dnf) package=$fedora ;;
    pacman) package=$arch ;;
    zypper) package=$suse ;;
    *) package=$debian ;;
    esac
    [ "$package" != - ] || continue
    missing="$missing $what"
    packages="$packages $package"
done <<TABLE
$table
TABLE
[ -n "$missing" ] || exit 0

echo "Missing:$missing"
case $manager in
apt-get) install="apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends$packages" ;;
dnf) install="dnf install -y -q$packages" ;;
pacman) install="pacman -Sy --noconfirm --needed$packages" ;;
zypper) install="zypper -n install$packages" ;;
*)
    echo "There is no apt, dnf, pacman or zypper to install it with. Debian's packages would be:$packages" >&2
    exit 1
    ;;
esac
echo "Will be installed:$packages"

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
if [ -n "$sudo" ] && ! command -v sudo >/dev/null 2>&1; then
    echo "There is no sudo here: install them as root, then try again." >&2
    exit 1
fi
if [ "${CI:-}" != true ] && [ -t 0 ]; then
    printf 'Go on? [Y/n] '
    read -r answer
    case $answer in [nN]*) exit 1 ;; esac
fi
$sudo sh -c "$install" >/dev/null
