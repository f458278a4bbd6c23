"""Servers on this machine that are targets of load balancers: they listen on the address that the machine has among the tasks.

Each ends with its `with` block.
"""

import contextlib
import ipaddress
import json
import socket
import socketserver
import ssl
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import h2.config
import h2.connection
import h2.events
from leftovers import plan
from waiting import wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve as serve_websockets

PROXY_V2 = b"\r\n\r\n\0\r\nQUIT\n"


def machine(region):
    """The machine's address among the tasks of a region."""
    names = wait_for(lambda: plan(region), "the host")
    return str(next(ipaddress.ip_network(names["subnet"]).hosts()))


class Threaded:
    """A server of the standard library in a thread."""

    def __init__(self, server):
        self.server = server
        self.address, self.port = server.server_address[:2]
        self.thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class Web(Threaded):
    """Answers with its name and what it was asked, as JSON. `/held` waits for `release`; `/login` sets a cookie."""

    def __init__(self, address, name="web"):
        release, healthy = threading.Event(), threading.Event()
        healthy.set()
        held = []

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def answer(self):
                if self.path == "/held":
                    held.append(name)
                    release.wait(60)
                headers = [[key.lower(), value] for key, value in self.headers.items()]
                body = json.dumps({"name": name, "path": self.path, "headers": headers}).encode()
                is_check = self.headers.get("User-Agent", "").startswith("ELB-HealthChecker")
                self.send_response(200 if healthy.is_set() or not is_check else 503)
                if self.path == "/login":
                    self.send_header("Set-Cookie", "session=mine; Path=/")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                """Who asked has gone."""

        super().__init__(Server((address, 0), Handler))
        self.name, self.release, self.healthy, self.held = name, release, healthy, held

    def __exit__(self, *error):
        self.release.set()
        super().__exit__(*error)


class Tcp(Threaded):
    """Answers each line with its name and the line; with `tls`, a pair of files, inside of TLS. With `proxied` it takes a
    header of the PROXY protocol first and says where the client is, too."""

    def __init__(self, address, name="tcp", tls=None, proxied=False):
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                # A health check says nothing, and may be gone before the handshake.
                with contextlib.suppress(OSError):
                    self.carry()

            def carry(self):
                stream = context.wrap_socket(self.request, server_side=True) if context else self.request
                file, who = stream.makefile("rb"), ""
                if proxied:
                    head = file.read(28)
                    if len(head) < 28:
                        return
                    assert head[:12] == PROXY_V2, head
                    who = f" {socket.inet_ntoa(head[16:20])}:{int.from_bytes(head[24:26], 'big')}"
                for line in file:
                    stream.sendall(f"{name}{who} {line.decode()}".encode())

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 128

        super().__init__(Server((address, 0), Handler))


class Udp(Threaded):
    """Answers each datagram with its name and the datagram. Load balancers check it by TCP, which it takes at the same port."""

    def __init__(self, address, name="udp"):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                data, own = self.request
                own.sendto(name.encode() + b" " + data, self.client_address)

        super().__init__(socketserver.ThreadingUDPServer((address, 0), Handler))
        self.checked = socket.create_server((address, self.port))

    def __exit__(self, *error):
        super().__exit__(*error)
        self.checked.close()


class Http2:
    """Speaks HTTP/2 without TLS, to who knows that, and answers with the authority and path that it is asked for."""

    def __init__(self, address):
        self.listener = socket.create_server((address, 0))
        self.address, self.port = self.listener.getsockname()
        self.thread = threading.Thread(target=self._accept)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        # Closing alone does not wake who waits in accept.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _serve(connection):
        own = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        with connection, contextlib.suppress(OSError, h2.exceptions.ProtocolError):
            own.initiate_connection()
            connection.sendall(own.data_to_send())
            while data := connection.recv(65536):
                for event in own.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        asked = dict(event.headers)
                        body = f"h2 {asked[':authority']} {asked[':path']}".encode()
                        own.send_headers(event.stream_id, [(":status", "200"), ("content-length", str(len(body)))])
                        own.send_data(event.stream_id, body, end_stream=True)
                connection.sendall(own.data_to_send())


class Grpc(grpc.GenericRpcHandler):
    """A gRPC server without TLS: `/test.Echo/One`, `/Many` (a stream both ways) and `/Fail`, and `/test.Health/Check`."""

    def __init__(self, address):
        self.address = address
        self.pool = futures.ThreadPoolExecutor(8)
        self.server = grpc.server(self.pool, handlers=[self])
        self.port = self.server.add_insecure_port(f"{address}:0")

    def __enter__(self):
        self.server.start()
        return self

    def __exit__(self, *_):
        self.server.stop(0).wait()
        self.pool.shutdown()

    def service(self, details):
        def fail(_, context):
            context.set_trailing_metadata([("why", "because")])
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now")
        one = grpc.unary_unary_rpc_method_handler
        return {
            "/test.Echo/One": one(lambda request, _: b"got " + request),
            "/test.Echo/Many": grpc.stream_stream_rpc_method_handler(lambda all, _: (b"got " + own for own in all)),
            "/test.Echo/Fail": one(fail),
            "/test.Health/Check": one(lambda _, context: b""),
        }.get(details.method)


class Websockets(Threaded):
    """Sends back what it gets. A request that is none for a websocket is answered with 426."""

    def __init__(self, address):
        def echo(connection):
            with contextlib.suppress(ConnectionClosed):
                for message in connection:
                    connection.send(message)

        self.server = serve_websockets(echo, address, 0)
        self.address, self.port = self.server.socket.getsockname()
        self.thread = threading.Thread(target=self.server.serve_forever)

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
