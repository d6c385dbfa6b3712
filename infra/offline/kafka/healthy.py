"""Exits with 0 if the broker on this port answers: `healthy.py 9092`. A Java tool would take a second of CPU."""

import socket
import struct
import sys

API_VERSIONS = struct.pack(">hhih", 18, 0, 1, -1)
with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=4) as connection:
    connection.sendall(struct.pack(">i", len(API_VERSIONS)) + API_VERSIONS)
    size = struct.unpack(">i", connection.recv(4))[0]
    sys.exit(0 if size > 0 else 1)
