"""A second implementation of the secure stream, written from PROTOCOL.md alone.

It connects to a TCP port of the loopback interface, does the handshake, sends a
number of records of a known pattern and CLOSE, receives the same pattern and CLOSE,
and prints what it saw as one line of JSON. It needs the module `cryptography`.
"""

import argparse
import hashlib
import json
import os
import socket
import threading

from cryptography.hazmat.primitives.asymmetric.x25519 import (
    X25519PrivateKey,
    X25519PublicKey,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

AUTO, INITIATOR, RESPONDER = 0, 1, 2
READY, DATA, CLOSE = 0, 1, 2
MAX_BODY = 65518
PROTOCOL_NAME = b"Noise_NNpsk0_25519_AESGCM_SHA256"


class ProtocolError(Exception):
    """The peer broke a rule of PROTOCOL.md."""


def hkdf(salt, material, info, length):
    return HKDF(SHA256(), length, salt, info).derive(material)


def blocks(ck, material, count):
    output = hkdf(ck, material, b"", 32 * count)
    return [output[i : i + 32] for i in range(0, 32 * count, 32)]


def nonce(n):
    return bytes(4) + n.to_bytes(8, "big")


def public_bytes(key):
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def receive_exactly(sock, count):
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        if not part:
            raise ConnectionError("stream ended, %d of %d" % (len(data), count))
        data += part
    return data


def resolve_role(ours, theirs):
    if theirs[:6] != b"SLSC\x01\x01" or theirs[6] > 2 or theirs[7] != 0:
        raise ProtocolError("malformed HELLO")
    if ours == theirs:
        raise ProtocolError("own HELLO came back")
    pair = (ours[6], theirs[6])
    if pair == (AUTO, AUTO):
        return INITIATOR if ours > theirs else RESPONDER
    if pair in ((1, 1), (2, 2)):
        raise ProtocolError("same role")
    return INITIATOR if pair in ((1, 0), (1, 2), (0, 2)) else RESPONDER


class Handshake:
    """The transcript hash h and the chaining key ck."""

    def __init__(self, prologue, psk):
        self.h = self.ck = PROTOCOL_NAME
        self.mix_hash(prologue)
        self.k = None
        self.psk = psk

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key(self, material):
        self.ck, self.k = blocks(self.ck, material, 2)

    def mix_psk(self):
        self.ck, temporary, self.k = blocks(self.ck, self.psk, 3)
        self.mix_hash(temporary)

    def mix_ephemeral(self, public):
        self.mix_hash(public)
        self.mix_key(public)

    def seal(self):
        tag = AESGCM(self.k).encrypt(nonce(0), b"", self.h)
        self.mix_hash(tag)
        return tag

    def open(self, tag):
        AESGCM(self.k).decrypt(nonce(0), tag, self.h)
        self.mix_hash(tag)


def handshake(sock, key, context, role):
    """Returns the role, the key for sending and the key for receiving."""
    psk = hkdf(b"", key, b"sluice/1 psk", 32)
    ours = b"SLSC" + bytes([1, 1, role, 0]) + os.urandom(24)
    sock.sendall(ours)
    theirs = receive_exactly(sock, 32)
    role = resolve_role(ours, theirs)
    hellos = ours + theirs if role == INITIATOR else theirs + ours
    state = Handshake(b"sluice/1" + hellos + context, psk)
    private = X25519PrivateKey.generate()
    public = public_bytes(private)
    if role == INITIATOR:
        state.mix_psk()
        state.mix_ephemeral(public)
        sock.sendall(public + state.seal())
        message = receive_exactly(sock, 48)
        state.mix_ephemeral(message[:32])
        state.mix_key(private.exchange(X25519PublicKey.from_public_bytes(message[:32])))
        state.open(message[32:])
    else:
        message = receive_exactly(sock, 48)
        state.mix_psk()
        state.mix_ephemeral(message[:32])
        state.open(message[32:])
        state.mix_ephemeral(public)
        state.mix_key(private.exchange(X25519PublicKey.from_public_bytes(message[:32])))
        sock.sendall(public + state.seal())
    k1, k2 = blocks(state.ck, b"", 2)
    return (role, k1, k2) if role == INITIATOR else (role, k2, k1)


class Direction:
    """The key and the count of one direction."""

    def __init__(self, key, rekey_interval):
        self.key = key
        self.n = 0
        self.rekeys = 0
        self.rekey_interval = rekey_interval

    def next_cipher(self):
        if self.n > 0 and self.n % self.rekey_interval == 0:
            last = AESGCM(self.key).encrypt(nonce(2**64 - 1), bytes(32), b"")
            self.key = last[:32]
            self.rekeys += 1
        cipher = AESGCM(self.key), nonce(self.n)
        self.n += 1
        return cipher

    def seal(self, kind, body):
        cipher, number = self.next_cipher()
        plaintext = bytes([kind]) + body
        header = (len(plaintext) + 16).to_bytes(2, "big")
        return header + cipher.encrypt(number, plaintext, header)

    def receive(self, sock):
        header = receive_exactly(sock, 2)
        length = int.from_bytes(header, "big")
        if length < 17:
            raise ProtocolError("length %d" % length)
        cipher, number = self.next_cipher()
        plaintext = cipher.decrypt(number, receive_exactly(sock, length), header)
        return plaintext[0], plaintext[1:]


def pattern(index):
    """The body of record `index`: what both sides send."""
    length = MAX_BODY if index % 1000 == 999 else 1 + index * 7919 % 300
    return bytes([index * 31 % 251]) * length


def send_all(sock, direction, role, count):
    if role == INITIATOR:
        sock.sendall(direction.seal(READY, b""))
    for index in range(count):
        sock.sendall(direction.seal(DATA, pattern(index)))
    sock.sendall(direction.seal(CLOSE, b"\x00"))
    sock.shutdown(socket.SHUT_WR)


def receive_all(sock, direction, role):
    digest = hashlib.sha256()
    received = 0
    if role == RESPONDER and direction.receive(sock) != (READY, b""):
        raise ProtocolError("no READY")
    while True:
        kind, body = direction.receive(sock)
        if kind == CLOSE and len(body) == 1:
            break
        if kind != DATA or not body:
            raise ProtocolError("record of type %d" % kind)
        digest.update(body)
        received += len(body)
    if sock.recv(1):
        raise ProtocolError("bytes after CLOSE")
    return digest.hexdigest(), received


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--role", type=int, default=AUTO)
    parser.add_argument("--key", type=bytes.fromhex, required=True)
    parser.add_argument("--context", type=bytes.fromhex, default=b"")
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--rekey-interval", type=int, default=2**20)
    options = parser.parse_args()

    sock = socket.create_connection(("127.0.0.1", options.port), timeout=30)
    with sock:
        role, sending, receiving = handshake(
            sock, options.key, options.context, options.role
        )
        outbound = Direction(sending, options.rekey_interval)
        inbound = Direction(receiving, options.rekey_interval)
        sender = threading.Thread(
            target=send_all, args=(sock, outbound, role, options.count)
        )
        sender.start()
        digest, received = receive_all(sock, inbound, role)
        sender.join()
    print(
        json.dumps(
            {
                "role": role,
                "digest": digest,
                "received": received,
                "recordsReceived": inbound.n,
                "recordsSent": outbound.n,
                "rekeysReceived": inbound.rekeys,
                "rekeysSent": outbound.rekeys,
            }
        )
    )


if __name__ == "__main__":
    main()
