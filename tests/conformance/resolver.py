"""Asks a name server, as much as the tests need of DNS."""

import ipaddress
import os
import socket
import struct

TYPES = {"A": 1, "SOA": 6, "AAAA": 28, "SRV": 33}
NAMES = {number: name for name, number in TYPES.items()}


class Answer:
    """A code (`NOERROR`, `NXDOMAIN`, ...), and records as (type, TTL, text) in the order sent."""

    def __init__(self, message):
        self.size = len(message)
        _, flags, questions, answers, authorities, _ = struct.unpack("!6H", message[:12])
        self.code = {0: "NOERROR", 2: "SERVFAIL", 3: "NXDOMAIN"}.get(flags & 15, str(flags & 15))
        self.truncated = bool(flags & 0x200)
        at = 12
        for _ in range(questions):
            _, at = name_at(message, at)
            at += 4
        self.records, at = records_at(message, at, answers)
        self.authority, at = records_at(message, at, authorities)

    def texts(self, kind="A"):
        return [text for own, _, text in self.records if own == kind]


def name_at(message, at):
    labels, end = [], None
    while length := message[at]:
        if length >= 0xC0:
            end = end or at + 2
            at = (length & 0x3F) << 8 | message[at + 1]
            continue
        labels.append(message[at + 1:at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels), end or at + 1


def records_at(message, at, count):
    records = []
    for _ in range(count):
        owner, at = name_at(message, at)
        kind, _, ttl, length = struct.unpack("!HHIH", message[at:at + 10])
        at += 10
        data = message[at:at + length]
        name = NAMES.get(kind, str(kind))
        if name in ("A", "AAAA"):
            text = str(ipaddress.ip_address(data))
        elif name == "SRV":
            priority, weight, port = struct.unpack("!3H", data[:6])
            text = f"{priority} {weight} {port} {name_at(message, at + 6)[0]}"
        else:
            text = owner
        records.append((name, ttl, text))
        at += length
    return records, at


def ask(server, name, kind="A", connected=False, deadline=5):
    """The answer of the name server at an address."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    query = os.urandom(2) + struct.pack("!5H", 0x0100, 1, 0, 0, 0) + question + struct.pack("!2H", TYPES[kind], 1)
    if connected:
        with socket.create_connection((server, 53), timeout=deadline) as stream:
            stream.sendall(struct.pack("!H", len(query)) + query)
            (length,) = struct.unpack("!H", stream.recv(2, socket.MSG_WAITALL))
            message = stream.recv(length, socket.MSG_WAITALL)
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.settimeout(deadline)
            datagrams.sendto(query, (server, 53))
            message = datagrams.recv(4096)
    assert message[:2] == query[:2]
    return Answer(message)
