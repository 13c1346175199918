"""Engines: what a window, a server or a terminal talks to, wherever the model runs."""
