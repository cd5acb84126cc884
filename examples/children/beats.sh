#!/bin/sh
# A child that says when it is ready, beats, and stops when asked.
# systemd-notify(1) is in Debian's package systemd; it speaks for the process that started it.
trap 'systemd-notify --pid=parent STOPPING=1; exit 0' TERM

# ... open what is needed, then:
systemd-notify --ready --status=serving
while :; do
    # ... one piece of work, then:
    systemd-notify WATCHDOG=1
    sleep 0.3 &
    wait $! # so that the trap is run at once
done
