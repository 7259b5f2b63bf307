"""Chat: conversations with a served model, replies that survive crashes, feedback as data."""
