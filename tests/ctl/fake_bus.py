#!/usr/bin/env python3
"""fake_bus.py SOCKET FAULT [SECONDS]: a bus that is not right.

silent    accepts, and says nothing
deaf      accepts, and never reads
refuses   does not let anybody in
hello     answers Hello, and then nothing
late      answers RequestName after so many seconds, and everything else at once
garbage   answers Hello with bytes that are no message
closes    answers one message of each connection, and closes it
nonsense  answers everything with a text, whatever was asked

Prints a line for each connection, and ends when standard input does.
"""
import os
import socket
import struct
import sys
import threading
import time

path, fault = sys.argv[1:3]
seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 0


def padded(data, size):
    return data + bytes(-len(data) % size)


def text(value):
    data = value.encode()
    return struct.pack("<I", len(data)) + data + b"\0"


def answer(serial, signature, body):
    fields = b""
    for code, kind, value in ((5, "u", struct.pack("<I", serial)), (6, "s", text(":1.1")),
                              (7, "s", text("org.freedesktop.DBus")),
                              (8, "g", bytes([len(signature)]) + signature.encode() + b"\0")):
        fields = padded(fields, 8) + bytes([code, 1]) + kind.encode() + b"\0"
        fields = (padded(fields, 4) if kind != "g" else fields) + value
    head = b"l\x02\x01\x01" + struct.pack("<III", len(body), 1, len(fields)) + fields
    return padded(head, 8) + body


def read_exactly(peer, size):
    data = b""
    while len(data) < size:
        more = peer.recv(size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def read_message(peer):
    """Returns its serial, and its header as bytes."""
    head = read_exactly(peer, 16)
    body, serial, fields = struct.unpack("<III", head[4:])
    rest = read_exactly(peer, fields + -fields % 8 + body)
    return serial, rest[:fields]


def shake_hands(peer):
    seen = b""
    while b"BEGIN\r\n" not in seen:
        seen += read_exactly(peer, 1)
        if seen.endswith(b"AUTH EXTERNAL\r\n"):
            peer.sendall(b"REJECTED EXTERNAL\r\n" if fault == "refuses" else b"DATA\r\n")
        elif seen.endswith(b"DATA\r\n"):
            peer.sendall(b"OK 00000000000000000000000000000001\r\n")
        elif seen.endswith(b"NEGOTIATE_UNIX_FD\r\n"):
            peer.sendall(b"AGREE_UNIX_FD\r\n")


def reply_to(peer, serial, header):
    if b"Hello\0" in header:
        peer.sendall(os.urandom(512) if fault == "garbage" else
                     answer(serial, "s", text(":1.1")))
    elif fault == "hello":
        return
    elif fault == "nonsense":
        peer.sendall(answer(serial, "s", text("what?")))
    elif b"RequestName\0" in header:
        time.sleep(seconds)
        peer.sendall(answer(serial, "u", struct.pack("<I", 1)))
    else:
        peer.sendall(answer(serial, "s", text("an answer")))


def serve(peer):
    try:
        if fault == "deaf":
            return threading.Event().wait()
        if fault == "silent":
            while peer.recv(4096):
                pass
        shake_hands(peer)
        while True:
            serial, header = read_message(peer)
            reply_to(peer, serial, header)
            if fault == "closes":
                break
    except (EOFError, OSError):
        pass
    peer.close()


def accept():
    while True:
        peer, _ = listener.accept()
        print("connection", flush=True)
        threading.Thread(target=serve, args=(peer,), daemon=True).start()


listener = socket.socket(socket.AF_UNIX)
if os.path.exists(path):
    os.unlink(path)
listener.bind(path)
listener.listen(100)
print("listening", flush=True)
threading.Thread(target=accept, daemon=True).start()
sys.stdin.read()
