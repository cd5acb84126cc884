"""A child that says when it is ready, beats, and stops when asked. No library is needed."""
import os
import signal
import socket
import threading

stopping = threading.Event()
signal.signal(signal.SIGTERM, lambda signum, frame: stopping.set())


def tell(message):
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.sendto(message.encode(), "\0" + path[1:] if path[0] == "@" else path)


# ... open what is needed, then:
tell("READY=1\nSTATUS=serving")
# Half of the time that proctord waits: one beat may be late.
pause = int(os.environ.get("WATCHDOG_USEC", 2_000_000)) / 2_000_000
while not stopping.wait(pause):
    # ... one piece of work, then:
    tell("WATCHDOG=1")
tell("STOPPING=1")
