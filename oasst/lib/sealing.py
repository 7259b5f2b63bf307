"""Seals secrets that the database keeps: whoever reads a backup of it cannot use them.

The keys come from SECRET_KEY; what was sealed with one of SECRET_KEY_FALLBACKS is read still.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

# Before what is sealed; what has no mark was stored before there were seals.
MARK = "sealed:"
_PURPOSE = b"oasst.lib.sealing"


def seal(text: str) -> str:
    """`text` as it may be stored. What is sealed already is sealed anew, with today's key."""
    return MARK + _keys().encrypt(unseal(text).encode()).decode()


def unseal(stored: str) -> str:
    """The text in what is stored. Raises ImproperlyConfigured if no key of ours fits."""
    if not stored.startswith(MARK):
        return stored
    try:
        return _keys().decrypt(stored.removeprefix(MARK)).decode()
    except InvalidToken as error:
        raise ImproperlyConfigured(
            "a stored secret was sealed with another SECRET_KEY: name it in SECRET_KEY_FALLBACKS"
        ) from error


def is_current(stored: str) -> bool:
    """Whether it is sealed, and with today's key."""
    try:
        _key(settings.SECRET_KEY).decrypt(stored.removeprefix(MARK))
    except InvalidToken:
        return False
    return stored.startswith(MARK)


def _keys() -> MultiFernet:
    secrets = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([_key(secret) for secret in secrets])


def _key(secret: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
