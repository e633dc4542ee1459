"""Tells what it reaches of the folders and hosts that its input names."""

import json
import os
import socket
import urllib.request


def fetch(host, port):
    with urllib.request.urlopen(f"http://{host}:{port}/", timeout=5) as answer:
        return answer.read().decode()


def converse(host, port):
    """As a database's client does: both sides speak, one after the other."""
    with socket.create_connection((host, port), 5) as server:
        server.sendall(b"GET / HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
        answer = b""
        while piece := server.recv(65536):
            answer += piece
        return answer.decode().splitlines()[-1]


class Handler:
    def execute(self, file_path):
        with open(file_path) as file:
            asked = json.load(file)
        attempts = {f"read {path}": lambda path=path: open(path).read() for path in asked["files"]}
        for host, port in asked["hosts"]:
            attempts[f"fetch {host}"] = lambda host=host, port=port: fetch(host, port)
            attempts[f"converse with {host}"] = lambda host=host, port=port: converse(host, port)
        attempts["write"] = lambda: open(os.path.join(os.path.dirname(asked["files"][0]), "x"), "w")
        attempts["send over UDP"] = lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        attempts["connect to a Unix socket"] = lambda: socket.socket(socket.AF_UNIX)
        attempts["listen"] = lambda: socket.create_server(("127.0.0.1", 0))
        told = {}
        for name, attempt in attempts.items():
            try:
                told[name] = attempt()
            except OSError as error:
                told[name] = f"refused: {type(error).__name__}"
        print(json.dumps(told, default=str))
