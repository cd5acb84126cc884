#!/bin/bash
# packages.sh BUILD SOURCE: the tarball of `meson dist` builds, in two folders to the same bytes; the RPM spec and
# the PKGBUILD are well formed, and package exactly what is installed. TAP.
build=$(realpath "$1") source=$(realpath "$2")
if ! git -C "$source" rev-parse HEAD >/dev/null 2>&1; then
    echo "1..0 # SKIP a tarball is made from a git repository"
    exit 0
fi
. "$(dirname "$0")/../ctl/proctord.sh"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
exec 2>"$folder/errors"

# ---- the tarball ----
version=$(sed -n "s/^project(.*version: '\([0-9.]*\)'.*/\1/p" "$source/meson.build")
tarball=$build/meson-dist/proctor-$version.tar.xz
meson dist -C "$build" --no-tests --allow-dirty >"$folder/dist.log" 2>&1
check "there is a tarball" yes "$([ -s "$tarball" ] && echo yes)"

# As packagers do it: the path is mapped away, the prefix is /usr.
compile() { # FOLDER
    mkdir -p "$1"
    tar -C "$1" -xJf "$tarball"
    (cd "$1/proctor-$version" &&
        CC=gcc CFLAGS="-O0 -g -ffile-prefix-map=$PWD=." meson setup out --prefix=/usr --sysconfdir=/etc --libdir=lib64 \
            -Dtests=disabled --buildtype=plain --wrap-mode=nodownload && ninja -C out --quiet) >"$1.log" 2>&1 ||
        tail -n 20 "$1.log" | sed 's/^/# /'
    DESTDIR=$1/root meson install -C "$1/proctor-$version/out" --no-rebuild --quiet >>"$1.log" 2>&1
    (cd "$1/root" && find . -type f -print0 | sort -z | xargs -0 sha256sum) >"$1.sums"
}
compile "$folder/one"
compile "$folder/another/of/a/longer/name"
check "it builds" yes "$([ "$(wc -l <"$folder/one.sums")" -gt 40 ] && echo yes)"
check "two builds in two folders have the same bytes" "$(cat "$folder/one.sums")" \
    "$(cat "$folder/another/of/a/longer/name.sums")"

# ---- RPM ----
spec=$source/contrib/rpm/proctor.spec
check "the spec has the version" "$version" "$(sed -n 's/^Version: *//p' "$spec")"
if command -v rpmlint >/dev/null; then
    check "rpmlint says nothing about it" 1 "$(rpmlint -r "$source/contrib/rpm/proctor.rpmlintrc" "$spec" |
        grep -c '; 0 errors, 0 warnings')"
else
    skip "rpmlint" "NO rpmlint HERE: THE SPEC IS NOT LINTED"
fi
# Its lists of files must fit what is installed, to the file; the macros of Fedora say what they would.
if command -v rpmbuild >/dev/null; then
    rpmbuild -bb --nodeps --define "_topdir $folder/rpm" --define "_sourcedir $build/meson-dist" --define "_libdir /usr/lib64" \
        --define "meson :" --define "meson_build :" \
        --define "meson_install cp -a $folder/one/root/. %{buildroot}/" \
        --define "_unitdir /usr/lib/systemd/system" --define "_userunitdir /usr/lib/systemd/user" \
        --define "_sysusersdir /usr/lib/sysusers.d" --define "_tmpfilesdir /usr/lib/tmpfiles.d" \
        --define "_journalcatalogdir /usr/lib/systemd/catalog" --define "systemd_post() :" \
        --define "systemd_preun() :" --define "systemd_postun() :" --define "debug_package %{nil}" \
        --define "__brp_compress /usr/bin/true" "$spec" >"$folder/rpm.log" 2>&1 ||
        tail -n 20 "$folder/rpm.log" | sed 's/^/# /'
    check "its packages have all that is installed, and nothing else" \
        "$(find "$folder/rpm/RPMS" -name '*.rpm' -printf x | wc -c): $(cd "$folder/one/root" && find . -type f | sed 's/^\.//' | sort)" \
        "5: $(find "$folder/rpm/RPMS" -name '*.rpm' -exec rpm -qlvp {} + | sed -n 's/^-.* //p' |
            grep -v '^/usr/share/\(doc\|licenses\)/' | sort -u)"
else
    skip "the packages" "NO rpmbuild HERE: THE SPEC IS NOT BUILT"
fi

# ---- Arch ----
pkgbuild=$source/contrib/arch/PKGBUILD
check "the PKGBUILD has the version" "$version" "$(sed -n 's/^pkgver=//p' "$pkgbuild")"
if command -v makepkg >/dev/null; then
    mkdir "$folder/arch"
    cp "$pkgbuild" "$folder/arch/"
    chmod 711 "$folder"
    chmod 777 "$folder/arch"
    told=$(cd "$folder/arch" && if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups makepkg --printsrcinfo
    else
        makepkg --printsrcinfo
    fi)
    check "makepkg reads it" "pkgname = proctor" "$(grep '^pkgname' <<<"$told")"
else
    skip "makepkg" "NO makepkg HERE: THE PKGBUILD IS NOT READ"
fi
if command -v shellcheck >/dev/null; then
    check "shellcheck says nothing about it" "" \
        "$(shellcheck -s bash -e SC2034,SC2154,SC2164 "$pkgbuild" | head -n 20)"
else
    skip "shellcheck" "NO shellcheck HERE: THE PKGBUILD IS NOT LINTED"
fi
# What it calls, with the build above in the place of its own.
meson() { [ "$1" = install ] && cp -a "$folder/one/root/." "$pkgdir/"; }
pkgdir=$folder/package
mkdir "$pkgdir"
(
    # shellcheck source=/dev/null
    . "$pkgbuild"
    package
)
check "its package has the program and the folder for manifests" "yes" \
    "$([ -x "$pkgdir/usr/bin/proctorctl" ] && [ -d "$pkgdir/etc/proctor/children.d" ] && echo yes)"
plan
