"""A worker that tells proctor how it is: ready, alive, and stopping when asked to."""
import os
import signal
import socket
import time

stopping = False


def tell(message):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.sendto(message.encode(), os.environ["NOTIFY_SOCKET"])


def stop(signum, frame):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, stop)
tell("READY=1\nSTATUS=generation " + os.environ["PROCTOR_GENERATION"])
while not stopping:
    tell("WATCHDOG=1")
    time.sleep(0.3)
tell("STOPPING=1\nSTATUS=finishing the last batch")
time.sleep(1)  # what a fenced restart has to wait for
