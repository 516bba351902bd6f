"""Deliberate bugs by the part of the bot they are in."""
