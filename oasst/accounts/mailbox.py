"""The development mailbox: mails go to the console and to files, and `/dev/mailbox/` shows them."""

import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage as ParsedMail
from pathlib import Path

from django.conf import settings
from django.core.mail.backends.console import EmailBackend as ConsoleBackend
from django.core.mail.message import EmailMessage

MOST_MAILS = 200
_NAME = re.compile(r"\d+-[0-9a-f]{8}")


@dataclass(frozen=True)
class Mail:
    id: str
    to: str
    sender: str
    subject: str
    sent_at: datetime
    text: str


def folder() -> Path:
    return Path(settings.VAR_DIR) / "mailbox"


class MailboxBackend(ConsoleBackend):
    """Prints a mail and keeps it as a file; the newest two hundred stay."""

    def write_message(self, message: EmailMessage) -> None:
        super().write_message(message)
        folder().mkdir(parents=True, exist_ok=True)
        # The name sorts by time; written under another name first, so nobody reads half a mail.
        path = folder() / f"{time.time_ns()}-{secrets.token_hex(4)}.eml"
        unfinished = path.with_suffix(".part")
        unfinished.write_bytes(message.message().as_bytes())
        unfinished.rename(path)
        for old in _newest_first()[MOST_MAILS:]:
            old.unlink(missing_ok=True)


def newest(limit: int = 50) -> list[Mail]:
    return [_read(path) for path in _newest_first()[:limit]]


def find(mail_id: str) -> Mail | None:
    path = folder() / f"{mail_id}.eml"
    return _read(path) if _NAME.fullmatch(mail_id) and path.is_file() else None


def _newest_first() -> list[Path]:
    return sorted(folder().glob("*.eml"), reverse=True)


def _read(path: Path) -> Mail:
    parsed = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(parsed, ParsedMail)
    body = parsed.get_body(preferencelist=("plain",))
    return Mail(
        id=path.stem,
        to=str(parsed["To"]),
        sender=str(parsed["From"]),
        subject=str(parsed["Subject"]),
        sent_at=datetime.fromtimestamp(int(path.stem.split("-")[0]) / 1e9, tz=UTC),
        text=str(body.get_content()) if body else "",
    )
