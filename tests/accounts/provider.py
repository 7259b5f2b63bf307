"""A provider of identities: a program of its own that speaks OAuth 2 as Discord and Google do.

`python provider.py` prints its address. `PUT /person` says who is signed in there; `/authorize`
sends that person back with a code; `/token` gives tokens for the code, once, to who holds the
secret and the PKCE verifier; `/users/@me` tells Discord's view of the person.
"""

import base64
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt

CLIENT_ID, CLIENT_SECRET = "the-site", "known-to-both"
STATE: dict[str, Any] = {"person": {}, "codes": {}, "tokens": {}}


class Handler(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        STATE["person"] = json.loads(self._body())
        self._answer(200, {})

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == "/authorize" and asked.get("client_id") == CLIENT_ID:
            self._send_back(asked)
        elif url.path == "/users/@me" and (person := self._bearer()):
            self._answer(200, person)
        else:
            self._answer(401, {"error": "unauthorized"})

    def do_POST(self) -> None:
        form = {name: values[0] for name, values in parse_qs(self._body()).items()}
        asked = STATE["codes"].pop(form.get("code"), None)
        if asked is None or not self._may_have(form, asked):
            self._answer(400, {"error": "invalid_grant"})
            return
        token = secrets.token_urlsafe()
        STATE["tokens"][token] = asked["person"]
        self._answer(200, {"access_token": token, "id_token": self._id_token(asked["person"])})

    def _send_back(self, asked: dict[str, str]) -> None:
        if STATE["person"].get("declines"):
            answer = {"error": "access_denied", "state": asked["state"]}
        else:
            code = secrets.token_urlsafe()
            STATE["codes"][code] = {**asked, "person": STATE["person"]}
            answer = {"code": code, "state": asked["state"]}
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode(answer)}")
        self.end_headers()

    def _may_have(self, form: dict[str, str], asked: dict[str, Any]) -> bool:
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return (
            (form["client_id"], form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
            and form["redirect_uri"] == asked["redirect_uri"]
            and challenge == asked["code_challenge"]
        )

    def _id_token(self, person: dict[str, Any]) -> str:
        now = int(time.time())
        about = {
            "iss": "https://accounts.google.com",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 60,
        }
        told = {**about, "sub": str(person["id"]), "email": person.get("email"),
                "email_verified": person.get("verified", False)}  # fmt: skip
        return jwt.encode(told, "x" * 32, algorithm="HS256")

    def _bearer(self) -> dict[str, Any] | None:
        return STATE["tokens"].get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    def _body(self) -> str:
        return self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_args: Any) -> None:
        """Quiet."""


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()
