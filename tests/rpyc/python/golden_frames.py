"""Prints what the installed RPyC puts on the wire, as JSON, for tests that run without it.

    golden_frames.py frames        > ../golden_frames.json
    golden_frames.py conversation  > ../golden_conversation_5.json   (RPyC 4 and 5)
    golden_frames.py conversation  > ../golden_conversation_6.json   (RPyC 6)

Captured once. Frames of zlib data differ between versions of zlib: what is
pinned is that they are read, not that Sluice would write the same.
"""

import hashlib
import json
import socket
import sys
import threading

import rpyc
from rpyc.core import brine, consts, netref
from rpyc.core.channel import Channel
from rpyc.core.protocol import Connection
from rpyc.core.stream import SocketStream

from _pattern import pattern


class RecordingStream:
    """Keeps the writes of a channel."""

    MAX_IO_CHUNK = SocketStream.MAX_IO_CHUNK

    def __init__(self):
        self.writes = []

    def write(self, data):
        self.writes.append(bytes(data))


def frame_of(message, compress):
    stream = RecordingStream()
    Channel(stream, compress=compress).send(message)
    return b"".join(stream.writes)


def frames():
    """Frames in full up to 4 KiB, by their hash beyond."""
    cases = []
    chosen = [("random", size, False) for size in (0, 1, 255, 256, 3000, 3001)]
    chosen += [("random", size, False) for size in (63994, 63995, 64000, 1 << 20)]
    chosen += [("repeated", size, True) for size in (0, 3000, 3001, 64000, 1 << 20)]
    chosen += [("random", 3001, True)]
    for kind, size, compress in chosen:
        frame = frame_of(pattern(kind, size, "golden"), compress)
        case = {"kind": kind, "size": size, "compress": compress, "length": len(frame)}
        if len(frame) <= 12_000:
            case["frame"] = frame.hex()
        case["sha256"] = hashlib.sha256(frame).hexdigest()
        cases.append(case)
    texts = [b"a", b"\n", b"\x00\x00\x00\x01\x00x\n", b"hello from RPyC"]
    return {
        "rpyc": rpyc.__version__,
        "frames": cases,
        "texts": [{"message": t.hex(), "frame": frame_of(t, True).hex()} for t in texts],
    }


class Counter:
    def __init__(self, value):
        self.exposed_value = value


class Calculator(rpyc.Service):
    """Knows what a first program would call."""

    exposed_name = "calculator"

    def exposed_add(self, left, right=10):
        return left + right

    def exposed_divide(self, left, right):
        return left // right

    def exposed_counter(self, value):
        return Counter(value)


class RecordingChannel(Channel):
    """Writes down each message with its direction."""

    def __init__(self, stream, log):
        super().__init__(stream)
        self.log = log

    def send(self, data):
        self.log.append(["request", frame_of(data, True).hex()])
        super().send(data)

    def recv(self):
        data = super().recv()
        self.log.append(["reply", frame_of(data, True).hex()])
        return data


class PlainConnection(Connection):
    """Does not ask what methods an object has: a minimal client has no use for it."""

    def _netref_factory(self, id_pack):
        return netref.class_factory(id_pack, ())(self, id_pack)


def conversation():
    """One client that does a bit of everything, and a real service that answers."""
    here, there = socket.socketpair()
    log = []
    # No traceback, as it would pin the paths of one machine.
    config = {"include_local_traceback": False}
    server = Connection(Calculator(), Channel(SocketStream(there)), config)
    thread = threading.Thread(target=server.serve_all)
    thread.start()
    client = PlainConnection(rpyc.VoidService(), RecordingChannel(SocketStream(here), log))
    client.ping("hi")
    root = client.root
    request = client.sync_request
    assert request(consts.HANDLE_GETATTR, root, "name") == "calculator"
    assert request(consts.HANDLE_CALLATTR, root, "add", (2,), (("right", 3),)) == 5
    try:
        request(consts.HANDLE_CALLATTR, root, "divide", (1, 0), ())
    except ZeroDivisionError:
        pass
    counter = request(consts.HANDLE_CALLATTR, root, "counter", (7,), ())
    assert request(consts.HANDLE_GETATTR, counter, "value") == 7
    # What the release of the reference sends, with its reply awaited.
    request(consts.HANDLE_DEL, counter, 1)
    client._async_request(consts.HANDLE_CLOSE)
    thread.join()
    return {"rpyc": rpyc.__version__, "messages": log}


def values():
    """Brine of every kind of value that it knows."""
    chosen = [
        None, True, False, NotImplemented, Ellipsis, "", "hi", "\ufeffgrüße \U0001f30a", b"", b"\x00",
        b"ab", b"abc", b"abcd", b"abcde", b"x" * 255, b"x" * 256, (), (1,), (1, 2), (1, 2, 3),
        (1, 2, 3, 4), (1, 2, 3, 4, 5), tuple([None]) * 255, tuple([None]) * 256, 0, -1, 1, -48, -49,
        159, 160, 2**31, -(2**31), 2**53 - 1, 2**53, -(2**53), 2**64, 10**254, -(10**254), 10**255,
        0.0, -0.0, 1.5, -1.0, 1e308, 5e-324, float("inf"), float("-inf"), complex(13, 18.2),
        slice(1, 2, 3), slice(None, None, None), frozenset([5]), frozenset(), ((("deep",),),),
    ]
    return {"values": [[repr(v)[:60], brine.dump(v).hex()] for v in chosen]}


if __name__ == "__main__":
    json.dump(globals()[sys.argv[1]](), sys.stdout, indent=1)
    print()
