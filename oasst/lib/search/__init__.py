"""Searching texts: what is typed, the words of a language in PostgreSQL, marks at what was found.

Each app searches its own tables; which words a text is found by, and how they are asked for, is
one rule for all.
"""
