"""The least that the launcher takes for a server of its own."""

import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answers(BaseHTTPRequestHandler):
    """The instance, whatever is asked."""

    def do_GET(self) -> None:
        body = json.dumps({"instance": os.environ["TANDEM_INSTANCE"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(os.environ["TANDEM_PORT"])), Answers).serve_forever()
