#!/bin/sh
# Becomes a second kernel: a user-mode Linux (Debian's package user-mode-linux), which is up in two
# seconds, over this machine's own files. To kill it is to cut its power: what has not come to DISK
# is gone.
#
#     uml.sh FOLDER SCRIPT [DISK]
#
# SCRIPT runs as root and sees all files read-only, with tmpfs at /run and /mnt, cgroup2 at
# /sys/fs/cgroup, and DISK, an ext4 in a file, at /mnt/disk. FOLDER is for the kernel's own files. It
# says what SCRIPT says, on standard output, and ends when SCRIPT does. Whoever calls it bounds it.
# WIDE_REGISTERS: a preload (wide_registers.c).
set -eu
folder=$1 script=$(realpath "$2") disk=${3:-}
cat >"$folder/init" <<END
#!/bin/sh
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev 2>/dev/null
mount -t cgroup2 cgroup /sys/fs/cgroup
mount -t tmpfs run /run
mount -t tmpfs mnt /mnt
mkdir /mnt/disk
[ -z "$disk" ] || mount -t ext4 /dev/ubda /mnt/disk || echo "no disk"
sh "$script"
sync
echo o >/proc/sysrq-trigger
sleep 10
END
chmod +x "$folder/init"
set -- mem="${UML_MEMORY:-256M}" uml_dir="$folder" rootfstype=hostfs rootflags=/ ro init="$folder/init" \
    con=null con0=null,fd:1 con1=null quiet
[ -z "$disk" ] || set -- "$@" ubda="$(realpath "$disk")"
exec env ${WIDE_REGISTERS:+LD_PRELOAD="$WIDE_REGISTERS"} TMPDIR="$folder" linux.uml "$@" </dev/null 2>/dev/null
