# SPDX-License-Identifier: Apache-2.0
"""A web server of a test's own: it listens from when it is made, answers in threads, and is closed as a context or by close()."""
import http.server
import sys
import threading

ACCEPT_S = 1  # a connection that was seen may be gone when it is taken: then nobody waits for the next


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers in one piece, or a client would acknowledge its head after 40 ms; and says nothing."""
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def body(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Listener(http.server.ThreadingHTTPServer):
    """With a TLS context it speaks https."""
    daemon_threads = True
    request_queue_size = 256  # a client whose connection is refused would wait for a second try

    def __init__(self, handler, tls=None):
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server_port}"
        self.socket.settimeout(ACCEPT_S)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def handle_error(self, request, client_address):
        """A client that is killed in the middle is no error."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def close(self):
        self.shutdown()
        self._thread.join()
        self.server_close()

    def __exit__(self, *_):
        self.close()
