"""A real rpyc.Service for the tests of a conversation.

It serves one connection over a socket, or standard input and output; with
--keep it is a ThreadedServer that serves until it is killed.
"""

import argparse
import gc
import os
import signal
import weakref

import rpyc
from rpyc.utils.authenticators import SSLAuthenticator
from rpyc.utils.server import OneShotServer, ThreadedServer

import _endpoint


class QuotaError(Exception):
    """An exception that only this side knows, with an attribute."""

    def __init__(self, used, limit):
        super().__init__(f"{used} of {limit} used", used)
        self.limit = limit


class Counter:
    """An object that cannot travel by value."""

    alive = weakref.WeakSet()

    def __init__(self, value):
        self.exposed_value = value
        Counter.alive.add(self)

    def exposed_add(self, amount=1, *, times=1):
        self.exposed_value += amount * times
        return self.exposed_value

    def exposed_copy(self):
        return Counter(self.exposed_value)

    def __call__(self, amount):
        return self.exposed_add(amount)

    def __repr__(self):
        return f"<counter at {self.exposed_value}>"


class TestService(rpyc.Service):
    """What the tests call."""

    exposed_version = rpyc.__version__

    def __init__(self):
        self.connection = None
        self.shared = Counter(100)

    def on_connect(self, connection):
        self.connection = connection

    # Values

    def exposed_echo(self, *values):
        return values

    def exposed_describe(self, value):
        """How Python sees a value: its type's name and its repr."""
        return type(value).__name__, repr(value)

    def exposed_call(self, *args, **kwargs):
        return args, tuple(sorted(kwargs.items()))

    def exposed_add(self, left, right=10):
        return left + right

    def exposed_bytes(self, count):
        return bytes(count)

    # Exceptions

    def exposed_divide(self, left, right):
        return left // right

    def exposed_exceed(self, used, limit):
        raise QuotaError(used, limit)

    def exposed_stop(self):
        raise StopIteration

    # Objects

    def exposed_counter(self, value=0):
        return Counter(value)

    def exposed_same(self):
        return self.shared

    def exposed_mixed(self):
        """A tuple that holds values and objects."""
        return 1, self.shared, ("two", self.shared)

    def exposed_value_of(self, counter):
        return type(counter) is Counter, counter.exposed_value

    def exposed_alive(self):
        gc.collect()
        return len(Counter.alive)

    def exposed_held(self):
        """How many times each counter is on loan to the peer."""
        held = self.connection._local_objects._dict.values()
        return tuple((repr(item), count + 1) for item, count in held if type(item) is Counter)

    # The other direction: this side asks

    def exposed_ping_back(self, text):
        return self.connection.async_request(1, text, timeout=5).value

    def exposed_ask(self, handler, *args):
        """Sends any request and tells how the peer's refusal looks here."""
        try:
            self.connection.sync_request(handler, *args)
        except Exception as error:  # the exception is the result
            return type(error).__name__, str(error)
        return None

    def exposed_hang_up(self):
        self.connection.close()

    def exposed_die(self):
        os.kill(os.getpid(), signal.SIGKILL)


def serve(options):
    """Serves over sockets by RPyC's own servers."""
    base = ThreadedServer if options.keep else OneShotServer

    class Server(base):
        def _listen(self):
            super()._listen()
            _endpoint.announce(self.port)

    if options.listen == "unix":
        where = {"socket_path": options.path}
    else:
        where = {"hostname": _endpoint.HOST, "port": options.port}
    if options.listen == "tls":
        where["authenticator"] = SSLAuthenticator(options.key, options.cert)
    Server(TestService, **where).start()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", action="store_true", help="serve many connections")
    _endpoint.add_arguments(parser)
    options = parser.parse_args()
    if options.listen:
        serve(options)
        return
    stream, _ = _endpoint.open_stream(options)
    rpyc.connect_stream(stream, TestService).serve_all()


if __name__ == "__main__":
    main()
