"""The twin of _role.ts for Python: plays a sink or a source, one job a line."""

import json
import sys
import time


def report(value):
    print(json.dumps(value), flush=True)


def play(listen, connect):
    """listen(on_listen) and connect(port) each give a peer; see _role.ts."""
    role, folder, *port = sys.argv[1:]
    if port:
        peer = connect(int(port[0]))
    else:
        peer = listen(lambda port: report({"port": port}))
    report({"ready": True})
    for line in sys.stdin:
        job = json.loads(line)
        work, size, count = job["work"], job["size"], job["count"]
        if role == "sink":
            report({"ready": True})
            receive = peer.receive if work == "one-way" else peer.echo
            count, total = receive(size, count)
            report({"count": count, "bytes": total})
        else:
            with open(f"{folder}/{size}.json", "rb") as file:
                payload = file.read()
            send = peer.one_way if work == "one-way" else peer.round_trip
            start = time.perf_counter()
            send(payload, count)
            report({"seconds": time.perf_counter() - start})
