"""Participant: RPyC's Channel over its SocketStream, no Nagle, no compression.

It has no call to send many: each message is one send() and one write.
"""

import socket

from _role import play
from rpyc.core.channel import Channel
from rpyc.core.stream import SocketStream


class Peer:
    def __init__(self, channel):
        self.channel = channel

    def one_way(self, payload, count):
        send = self.channel.send
        for _ in range(count):
            send(payload)
        self.channel.recv()

    def round_trip(self, payload, count):
        recv, send = self.channel.recv, self.channel.send
        for _ in range(count):
            send(payload)
            recv()

    def receive(self, size, count):
        recv, total = self.channel.recv, 0
        for _ in range(count):
            total += len(recv())
        self.channel.send(b"received")
        return count, total

    def echo(self, size, count):
        recv, send, total = self.channel.recv, self.channel.send, 0
        for _ in range(count):
            message = recv()
            total += len(message)
            send(message)
        return count, total


def listen(on_listen):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        on_listen(listener.getsockname()[1])
        sock, _ = listener.accept()
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Peer(Channel(SocketStream(sock), compress=False))


def connect(port):
    stream = SocketStream.connect("127.0.0.1", port, nodelay=True, timeout=60)
    return Peer(Channel(stream, compress=False))


play(listen, connect)
