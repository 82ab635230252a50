"""A small web server as a team's own would be: it says who it is, and asks those whose URLs it is given."""

SERVER = """
import json, os, sys, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NAME, BELOW = sys.argv[1], sys.argv[2:]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        status, said = 200, {"service": NAME}
        try:
            for url in BELOW:
                with urllib.request.urlopen(url + self.path, timeout=4) as answer:
                    said["below"] = json.load(answer)
        except OSError as error:
            status, said = 502, {"service": NAME, "error": str(error)}
            print(f"ERROR {NAME} could not ask below: {error}", file=sys.stderr)
        body = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *words):
        print("INFO", NAME, format % words)


print("INFO", NAME, "listens on", os.environ["PORT"])
server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
server.daemon_threads = True
server.serve_forever()
"""
