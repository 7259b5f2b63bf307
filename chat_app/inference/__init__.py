"""Engines that turn a conversation into a stream of text. Knows no Django and no database."""
