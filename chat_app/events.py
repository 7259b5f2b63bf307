"""What the chat tells those above it, which it does not know."""

from django.dispatch import Signal

# A chat that training might have read is not to be read any more: its owner forbade it or deleted
# it. Sent with `chat`, in the transaction that does it.
withdrawn = Signal()
