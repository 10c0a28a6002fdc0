"""Where a peer meets Sluice: a stream of RPyC's own over any transport.

`listen` and `connect` give RPyC streams, `announce` tells the test which
address to use. Everything that is not protocol goes to standard error when
standard output carries the stream.
"""

import argparse
import os
import shutil
import socket
import ssl
import subprocess
import sys

import rpyc
from rpyc.core.stream import PipeStream, SocketStream

HOST = "127.0.0.1"
# An end of the connection without TLS's close_notify is an error, not an end.
STRICT_END = {"suppress_ragged_eofs": False}


def add_arguments(parser):
    """Adds the options that choose a transport and a role."""
    parser.add_argument(
        "--listen", choices=["tcp", "tls", "unix"], help="accept one connection"
    )
    parser.add_argument("--connect", choices=["tcp", "tls", "unix"])
    parser.add_argument(
        "--stdio", action="store_true", help="talk over standard input and output"
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--path", help="the Unix socket")
    parser.add_argument("--cert", help="the certificate of a TLS server, in PEM")
    parser.add_argument("--key", help="its private key, in PEM")
    parser.add_argument("--ca", help="the certificates that a TLS client trusts, in PEM")
    parser.add_argument(
        "--spawn", nargs=argparse.REMAINDER, help="start this command and talk over its pipes"
    )


def announce(address):
    """Prints the one line that a test waits for."""
    print(f"listening {address} rpyc {rpyc.__version__}", flush=True)


def server_context(options):
    """The TLS settings of a server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    return context


def bound_socket(options):
    """A listening socket, on a free port or on the path."""
    if options.listen == "unix":
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(options.path)
    else:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.bind((HOST, options.port))
    listener.listen()
    return listener


def open_stream(options):
    """Returns the RPyC stream that the options ask for, and what ends with it."""
    if options.stdio:
        # The protocol owns standard output from here on: a stray print would corrupt it.
        stream = PipeStream(os.fdopen(os.dup(0), "rb", 0), os.fdopen(os.dup(1), "wb", 0))
        os.dup2(2, 1)
        return stream, None
    if options.spawn:
        # The child gets pipes of its own: a closed standard input ends it.
        command = [shutil.which(options.spawn[0]) or options.spawn[0], *options.spawn[1:]]
        child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )
        return PipeStream(child.stdout, child.stdin), child
    if options.listen:
        with bound_socket(options) as listener:
            announce(options.path or listener.getsockname()[1])
            connection, _ = listener.accept()
        if options.listen == "tls":
            context = server_context(options)
            connection = context.wrap_socket(connection, server_side=True, **STRICT_END)
        return SocketStream(connection), None
    if options.connect == "unix":
        return SocketStream.unix_connect(options.path), None
    if options.connect == "tls":
        arguments = {"ca_certs": options.ca, "cert_reqs": ssl.CERT_REQUIRED, **STRICT_END}
        return SocketStream.ssl_connect("localhost", options.port, arguments), None
    if options.connect == "tcp":
        return SocketStream.connect(HOST, options.port), None
    sys.exit("Cannot open a stream as no transport is given")
