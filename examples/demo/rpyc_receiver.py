"""The far side of the demo in Python: RPyC's own Channel receives, and answers.

    rpyc_receiver.py PORT    connects to the demo, time and again until that is over
"""

import hashlib
import json
import signal
import socket
import sys

from rpyc.core.channel import Channel
from rpyc.core.stream import SocketStream


def receive(channel):
    channel.send(b"")  # The receiver is there.
    checksum = hashlib.sha256()
    for _ in range(json.loads(channel.recv())["messages"]):
        message = channel.recv()
        checksum.update(len(message).to_bytes(4, "big"))
        checksum.update(message)
    channel.send(json.dumps({"sha256": checksum.hexdigest()}).encode())
    channel.recv()  # Until the demo has the answer and closes.


signal.signal(signal.SIGINT, signal.SIG_IGN)  # The demo decides when it is over.
while True:
    try:
        channel = Channel(SocketStream(socket.create_connection(("127.0.0.1", int(sys.argv[1])))))
    except OSError:
        break
    try:
        receive(channel)
    except EOFError:
        pass
    finally:
        channel.close()
