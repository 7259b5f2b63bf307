#!/usr/bin/env python3
"""Do tasks of Open Assistant from the command line. Needs Python 3.11 and nothing else.

    export OASST_URL=http://localhost:8000 OASST_TOKEN=oasst_…
    python oasst_client.py whoami
    python oasst_client.py available --lang en
    python oasst_client.py do assistant_reply
    python oasst_client.py do every        # one task of each kind that there is for you

The token, from the page `/account/tokens/`, needs the scopes tasks:read, tasks:write and
account:read. Text ends with a line that holds a single dot; `skip` gives the task back.
"""

import argparse
import json
import os
import sys
import time
import urllib.error
import urllib.request
import uuid
from typing import Any
from urllib.parse import urlencode

TRIES = 4
TIMEOUT_S = 30
Task = dict[str, Any]
# Where an answer goes, and the answer itself.
Answer = tuple[str, dict[str, Any]]


class Refused(Exception):
    """The site said no: what happened, and what to do."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        super().__init__(error["message"])
        self.status, self.code, self.details = status, error["code"], error.get("details") or {}


class Skipped(Exception):
    """The person does not want to do the task."""


class Client:
    """Calls the API: waits when told to, and sends again what was not answered."""

    def __init__(self, site: str, token: str) -> None:
        self.base = site.rstrip("/") + "/api/v1"
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def get(self, path: str, **query: Any) -> Any:
        return self._call("GET", f"{path}?{urlencode(query, doseq=True)}" if query else path)

    def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        # With the same key, sending it twice has one effect.
        return self._call("POST", path, body or {}, {"Idempotency-Key": str(uuid.uuid4())})

    def _call(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310  (the site that its user named)
            self.base + path, data, self.headers | (headers or {}), method=method
        )
        for left in reversed(range(TRIES)):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:  # noqa: S310
                    content = response.read()
                    return json.loads(content) if content else None
            except urllib.error.HTTPError as error:
                wait_s = error.headers.get("Retry-After")
                if left == 0 or wait_s is None:
                    raise Refused(error.code, _refusal(error)) from None
                say(f"Asked to wait for {wait_s} s.")
                time.sleep(int(wait_s))
            except (urllib.error.URLError, TimeoutError) as error:
                if left == 0:
                    raise SystemExit(f"{self.base} does not answer: {error}") from None
                time.sleep(1)
        raise AssertionError("the last try returns or raises")


def _refusal(error: urllib.error.HTTPError) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(error.read())["error"]
    except (ValueError, KeyError, TypeError):
        return {"code": "unreadable", "message": f"{error.code} {error.reason}"}
    return found


def say(text: str = "") -> None:
    print(text, flush=True)  # noqa: T201


def ask(question: str) -> str:
    """A line that somebody types. Raises Skipped."""
    say(question)
    line = sys.stdin.readline()
    if not line or line.strip() == "skip":
        raise Skipped
    return line.rstrip("\n")


# Doing a task


def write(task: Task) -> Answer:
    """A prompt or a reply."""
    lines = [ask("Your text; a line with a single dot ends it:")]
    while (line := sys.stdin.readline()) and line.rstrip("\n") != ".":
        lines.append(line.rstrip("\n"))
    return "reply", {"text": "\n".join(lines), "origin": "own"}


def review(task: Task) -> Answer:
    """An answer to each question; an empty one leaves it open."""
    given = {}
    for question in task["form"]:
        words = ", ".join(f"{each['value']:g} {each['title']}" for each in question["choices"])
        needed = " (needed)" if question["mandatory"] else ""
        line = ask(f"{question['title']}{needed}: {question['text']} [{words}]").strip()
        if line:
            given[question["name"]] = float(line)
    return "labels", {"labels": given}


def rank(task: Task) -> Answer:
    """An order such as `B A=C`, or why there is none."""
    for reply in task["replies"]:
        say(f"--- {reply['letter']}\n{reply['text']}")
    line = ask("Best first, such as: B A=C; or all_bad; or cannot_judge").strip()
    if line in {"all_bad", "cannot_judge"}:
        return "ranking", {"not_rankable": line}
    ids = {reply["letter"]: reply["id"] for reply in task["replies"]}
    groups = [group.split("=") for group in line.upper().split()]
    return "ranking", {"groups": [[ids.get(letter, letter) for letter in g] for g in groups]}


SECTIONS = {"write": write, "review": review, "rank": rank}


def do(client: Client, kind: str, langs: list[str]) -> bool:
    """Take a task of a kind and do it. False if there is none."""
    try:
        task = client.post("/tasks/next", {"kind": kind, "langs": langs or None})
    except Refused as refused:
        if refused.code != "no_task_available":
            raise
        for blocker in refused.details.get("blockers", []):
            say(f"- {blocker['text']}")
        return False
    say(f"\n# {task['title']} ({task['lang']})")
    for line in task["thread"]:
        say(f"[{line['role']}] {line['text']}")
    try:
        end, body = SECTIONS[task["section"]](task)
    except Skipped:
        client.post(f"/tasks/{task['id']}/skip")
        say("Skipped.")
        return True
    client.post(f"/tasks/{task['id']}/{end}", body)
    say(told(client.get(f"/tasks/{task['id']}")["stored"]))
    return True


def told(stored: dict[str, Any]) -> str:
    """What one may know, now that it is done."""
    if stored["known"]:
        return "A practice message. " + stored["known"]["explanation"]
    origins = {place["by_model"] for group in stored["places"] for place in group}
    if True in origins:
        first = "a model" if stored["places"][0][0]["by_model"] else "a person"
        return f"Thank you. Your first place went to {first}."
    return "Thank you."


def available(client: Client, langs: list[str]) -> list[dict[str, Any]]:
    query = {"lang": langs} if langs else {}
    found: list[dict[str, Any]] = client.get("/tasks/available", **query)
    return [each for each in found if each["count"]]


# The command line


def run(client: Client, asked: argparse.Namespace) -> bool:
    """Do what was asked for; whether there was something to do."""
    if asked.command == "whoami":
        me = client.get("/me")
        say(f"{me['name']}, level {me['standing']['level']}, {me['standing']['score']} points")
        return True
    found = available(client, asked.lang)
    if asked.command == "available":
        for each in found:
            say(f"{each['count']:6} {each['kind']}: {each['title']}")
        return bool(found)
    if asked.kind == "every":
        done = [do(client, each["kind"], asked.lang) for each in found]
        return any(done)
    return do(client, asked.kind, asked.lang)


def arguments() -> argparse.Namespace:
    words = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    words.add_argument("--site", default=os.environ.get("OASST_URL", "http://localhost:8000"))
    words.add_argument("--token", default=os.environ.get("OASST_TOKEN", ""))
    commands = words.add_subparsers(dest="command", required=True)
    commands.add_parser("whoami")
    commands.add_parser("available").add_argument("--lang", action="append", default=[])
    doing = commands.add_parser("do")
    doing.add_argument("kind", help="a kind of task, random, or every")
    doing.add_argument("--lang", action="append", default=[])
    return words.parse_args()


def main() -> int:
    asked = arguments()
    try:
        return 0 if run(Client(asked.site, asked.token), asked) else 1
    except Refused as refused:
        say(f"{refused.code}: {refused}")
        return 2


if __name__ == "__main__":
    sys.exit(main())
