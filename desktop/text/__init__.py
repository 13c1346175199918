"""Markdown as data: what an answer's text consists of, before any widget shows it."""
