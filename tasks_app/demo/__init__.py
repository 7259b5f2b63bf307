"""Demonstration data: conversations written for this project, and how they are played in."""
