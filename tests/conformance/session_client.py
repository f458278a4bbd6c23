#!/usr/bin/env python3
"""A client of the session protocol: what the session manager plugin does, from its published source's facts.

As a library, `Session` talks to one session. As a program it takes the plugin's arguments and its place, so that
`aws ecs execute-command --interactive` runs with it.
"""

import base64
import hashlib
import json
import os
import queue
import secrets
import select
import socket
import struct
import sys
import threading
import time
import urllib.parse
import uuid

OUTPUT, SIZE, HANDSHAKE_REQUEST, HANDSHAKE_RESPONSE, HANDSHAKE_COMPLETE, FLAG, STDERR, EXIT_CODE = 1, 3, 5, 6, 7, 10, 11, 12
DISCONNECT, TERMINATE = 1, 2


class WebSocket:
    """A websocket over plain TCP."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        assert parts.scheme == "ws", url
        self.socket = socket.create_connection((parts.hostname, parts.port or 80), timeout=60)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lock = threading.Lock()
        self.file = self.socket.makefile("rb")
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        path = parts.path + ("?" + parts.query if parts.query else "")
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n").encode())
        status = self.file.readline()
        assert b" 101 " in status, status
        while self.file.readline() not in (b"\r\n", b""):
            pass

    def send(self, opcode, data):
        mask = secrets.token_bytes(4)
        length = len(data)
        head = bytes([0x80 | opcode])
        if length < 126:
            head += bytes([0x80 | length])
        elif length < 65536:
            head += struct.pack(">BH", 0xFE, length)
        else:
            head += struct.pack(">BQ", 0xFF, length)
        whole = int.from_bytes(data, "big") ^ int.from_bytes((mask * (length // 4 + 1))[:length], "big") if length else 0
        with self.lock:
            self.socket.sendall(head + mask + whole.to_bytes(length, "big"))

    def receive(self):
        """The next text or binary message; None when it is over."""
        try:
            while True:
                head = self.file.read(2)
                if len(head) < 2:
                    return None
                opcode, length = head[0] & 15, head[1] & 127
                if length == 126:
                    length = struct.unpack(">H", self.file.read(2))[0]
                elif length == 127:
                    length = struct.unpack(">Q", self.file.read(8))[0]
                data = self.file.read(length)
                if opcode == 9:
                    self.send(10, data)
                elif opcode == 8:
                    return None
                elif opcode in (1, 2):
                    return data
        except (OSError, ValueError):
            return None

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


def message(kind, payload, sequence=0, flags=0, payload_type=0):
    identifier = uuid.uuid4().bytes
    return (struct.pack(">I", 116) + kind.encode().ljust(32) + struct.pack(">IQqQ", 1, int(time.time() * 1000), sequence, flags)
            + identifier[8:] + identifier[:8] + hashlib.sha256(payload).digest()
            + struct.pack(">II", payload_type, len(payload)) + payload)


def parse(frame):
    header, = struct.unpack(">I", frame[:4])
    kind = frame[4:36].strip(b"\0 ").decode()
    sequence, = struct.unpack(">q", frame[48:56])
    identifier = str(uuid.UUID(bytes=frame[72:80] + frame[64:72]))
    payload_type, length = struct.unpack(">II", frame[112:120])
    payload = frame[header + 4:]
    assert length == len(payload)
    assert not payload or hashlib.sha256(payload).digest() == frame[80:112]
    return kind, sequence, identifier, payload_type, payload


class Session:
    """The plugin's end of a session. `events` brings (payload type, bytes), and (None, reason) at the end."""

    def __init__(self, session, actions=("SessionType",), version="1.2.650.0", open_now=True):
        self.session, self.actions, self.version = session, actions, version
        self.events = queue.Queue()
        self.seen = bytearray()
        self.errors = bytearray()
        self.exit_code = None
        self.over = None
        self.ready = threading.Event()
        self.expected, self.next, self.early = 0, 0, {}
        self.unacknowledged = {}
        self.lock = threading.RLock()
        if open_now:
            self.open(session["tokenValue"])

    def open(self, token):
        self.web = WebSocket(self.session["streamUrl"])
        opening = {"MessageSchemaVersion": "1.0", "RequestId": str(uuid.uuid4()), "TokenValue": token,
                   "ClientId": str(uuid.uuid4()), "ClientVersion": self.version}
        self.web.send(1, json.dumps(opening).encode())
        web = self.web
        threading.Thread(target=self._read, args=(web,), daemon=True).start()
        threading.Thread(target=self._resend, args=(web,), daemon=True).start()

    def _read(self, web):
        while (frame := web.receive()) is not None:
            self._take(frame)
        if web is self.web:
            self._end("connection lost")

    def _end(self, reason):
        if self.over is None:
            self.over = reason
            self.ready.set()
            self.events.put((None, reason))

    def _resend(self, web):
        while self.over is None and web is self.web:
            time.sleep(0.1)
            with self.lock:
                oldest = min(self.unacknowledged, default=None)
                if oldest is not None and time.monotonic() - self.unacknowledged[oldest][1] > 0.5:
                    self.unacknowledged[oldest] = (self.unacknowledged[oldest][0], time.monotonic())
                    try:
                        web.send(2, self.unacknowledged[oldest][0])
                    except OSError:
                        return

    def _take(self, frame):
        kind, sequence, identifier, payload_type, payload = parse(frame)
        if kind == "acknowledge":
            with self.lock:
                self.unacknowledged.pop(json.loads(payload)["AcknowledgedMessageSequenceNumber"], None)
        elif kind == "channel_closed":
            self._end(json.loads(payload)["Output"])
        elif kind == "output_stream_data":
            if sequence >= self.expected:
                self.early[sequence] = (payload_type, payload)
            content = {"AcknowledgedMessageType": kind, "AcknowledgedMessageId": identifier,
                       "AcknowledgedMessageSequenceNumber": sequence, "IsSequentialMessage": True}
            self.web.send(2, message("acknowledge", json.dumps(content).encode(), flags=3))
            while self.expected in self.early:
                self._output(*self.early.pop(self.expected))
                self.expected += 1

    def _output(self, payload_type, payload):
        if payload_type == HANDSHAKE_REQUEST:
            asked = [action["ActionType"] for action in json.loads(payload)["RequestedClientActions"]]
            done = [{"ActionType": a, "ActionStatus": 1 if a in self.actions else 0, "ActionResult": None if a in self.actions else 3,
                     "Error": "" if a in self.actions else f"Unsupported action {a}"} for a in asked]
            errors = [one["Error"] for one in done if one["Error"]] or None
            answer = {"ClientVersion": self.version, "ProcessedClientActions": done, "Errors": errors}
            self.send(HANDSHAKE_RESPONSE, json.dumps(answer).encode())
        elif payload_type == HANDSHAKE_COMPLETE:
            self.ready.set()
        elif payload_type == EXIT_CODE and "ExitCode" in self.actions:
            self.exit_code = int(payload)
        else:
            # The plugin prints the payloads of all other types.
            (self.errors if payload_type == STDERR else self.seen).extend(payload)
            self.events.put((payload_type, payload))

    def send(self, payload_type, payload):
        with self.lock:
            frame = message("input_stream_data", payload, self.next, 0, payload_type)
            self.unacknowledged[self.next] = (frame, time.monotonic())
            self.next += 1
            self.web.send(2, frame)

    def type(self, text):
        self.send(OUTPUT, text.encode() if isinstance(text, str) else text)

    def resize(self, columns, rows):
        self.send(SIZE, json.dumps({"cols": columns, "rows": rows}).encode())

    def flag(self, flag):
        self.send(FLAG, struct.pack(">I", flag))

    def wait_for(self, text, deadline=30):
        """Waits until the output holds a text."""
        wanted = text.encode() if isinstance(text, str) else text
        end = time.monotonic() + deadline
        while wanted not in self.seen:
            assert self.over is None, (self.over, bytes(self.seen[-2000:]))
            assert time.monotonic() < end, bytes(self.seen[-2000:])
            time.sleep(0.01)

    def wait_for_end(self, deadline=60):
        end = time.monotonic() + deadline
        while self.over is None:
            assert time.monotonic() < end, bytes(self.seen[-2000:])
            time.sleep(0.01)
        return self.over

    def close(self):
        self.over = self.over if self.over is not None else "closed"
        self.web.close()


def plugin(arguments):
    """The plugin's command line: session, region, operation, profile, parameters, endpoint."""
    if not arguments:
        print("\nThe Session Manager plugin was installed successfully. Use the AWS CLI to start a session.\n")
        return
    answer, _region, operation, _profile, parameters, _endpoint = arguments
    assert operation == "StartSession" and json.loads(parameters)["Target"].startswith("ecs:")
    answer = json.loads(answer)
    print(f"\nStarting session with SessionId: {answer['sessionId']}", flush=True)
    session = Session(answer)
    session.ready.wait(60)
    try:
        columns, rows = os.get_terminal_size(1)
    except OSError:
        columns, rows = 300, 100
    session.resize(columns, rows)
    printed = 0
    while True:
        if select.select([0], [], [], 0.02)[0]:
            typed = os.read(0, 1024)
            if typed:
                # A lone new line is a carriage return to the plugin.
                session.type(b"\r" if typed == b"\n" else typed)
        over = session.over
        seen = bytes(session.seen)
        sys.stdout.buffer.write(seen[printed:])
        sys.stdout.buffer.flush()
        printed = len(seen)
        if over is not None:
            said = f"SessionId: {answer['sessionId']} : {over}" if over else f"Exiting session with sessionId: {answer['sessionId']}."
            print(f"\n\n{said}\n\n", flush=True)
            return


if __name__ == "__main__":
    plugin(sys.argv[1:])
