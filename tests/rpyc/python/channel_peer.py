"""RPyC's Channel as the other end of a Sluice channel.

    channel_peer.py echo     sends back what it receives, until the end
    channel_peer.py converse checks and echoes every pattern, then sends its own and checks the echo
    channel_peer.py digest   receives --count messages, answers with one hash over all of them
    channel_peer.py burst    sends --count numbered messages in a single write
    channel_peer.py stall    announces a longer message than it sends, then ends

It exits with 0 only if all went as it should and Sluice then ended the stream
cleanly between two messages.
"""

import argparse
import hashlib
import sys

from rpyc.core.channel import Channel

import _endpoint
from _pattern import pattern


# Writing 20 MiB takes RPyC a second, as it copies the rest for each chunk.
LARGEST_TO_BEGIN_WITH = 1 << 20


class CollectingStream:
    """Holds back what is written to it, so that many frames leave in one write."""

    MAX_IO_CHUNK = 1 << 30

    def __init__(self):
        self.data = b""

    def write(self, data):
        self.data += data


def require(condition, text):
    if not condition:
        raise AssertionError(text)


def expect_end(channel, options):
    """The stream ends between messages: whatever else arrives is an error."""
    if options.spawn:
        channel.stream.outgoing.close()  # the parent of a child ends it
    try:
        data = channel.stream.read(1)
    except EOFError as error:
        # What RPyC says of a clean end; of any other it gives the cause.
        require(str(error) == "connection closed by peer", f"a bad end: {error!r}")
        return
    raise AssertionError(f"received {data!r} where the stream should have ended")


def echo(channel, _options):
    while True:
        try:
            header = channel.stream.read(1)
        except EOFError:
            return  # a clean end: not one byte of a next frame came
        channel.stream = Unread(channel.stream, header)
        message = channel.recv()
        channel.stream = channel.stream.stream
        channel.send(message)


class Unread:
    """Gives back bytes that were read to learn whether another frame follows."""

    def __init__(self, stream, data):
        self.stream = stream
        self.data = data

    def read(self, count):
        data, self.data = self.data[:count], self.data[count:]
        return data + self.stream.read(count - len(data)) if len(data) < count else data


def converse(channel, options):
    patterns = [(kind, size) for size in options.sizes for kind in options.kinds]
    for kind, size in patterns:
        message = channel.recv()
        expected = pattern(kind, size, options.seed)
        require(message == expected, f"{kind} {size}: received {len(message)} other bytes")
        channel.send(message)
    for kind, size in patterns:
        if size > LARGEST_TO_BEGIN_WITH:
            continue
        expected = pattern(kind, size, options.seed)
        channel.send(expected)
        message = channel.recv()
        require(message == expected, f"{kind} {size}: echoed as {len(message)} other bytes")
    expect_end(channel, options)


def digest(channel, options):
    total = hashlib.sha256()
    for _ in range(options.count):
        message = channel.recv()
        total.update(len(message).to_bytes(4, "big") + message)
    channel.send(total.hexdigest().encode())
    expect_end(channel, options)


def burst(channel, options):
    collected = CollectingStream()
    writer = Channel(collected, compress=channel.compress)
    for number in range(options.count):
        # Every fifth one is empty: an empty message is a message.
        writer.send(b"" if number % 5 == 0 else str(number).encode() * 3)
    channel.stream.write(collected.data)
    expect_end(channel, options)


def stall(channel, _options):
    channel.stream.write(Channel.FRAME_HEADER.pack(1000, 0) + b"only this")
    channel.close()


def main():
    modes = {f.__name__: f for f in (echo, converse, digest, burst, stall)}
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=modes)
    parser.add_argument("--compress", action="store_true")
    parser.add_argument("--sizes", type=lambda text: [int(s) for s in text.split(",")])
    parser.add_argument("--kinds", type=lambda text: text.split(","), default=["random"])
    parser.add_argument("--seed", default="sluice")
    parser.add_argument("--count", type=int, default=1)
    _endpoint.add_arguments(parser)
    options = parser.parse_args()
    stream, child = _endpoint.open_stream(options)
    channel = Channel(stream, compress=options.compress)
    try:
        modes[options.mode](channel, options)
    finally:
        channel.close()
        if child:
            code = child.wait()
    if child and code != 0:
        sys.exit(f"the child ended with code {code}")


if __name__ == "__main__":
    main()
