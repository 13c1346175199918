"""Widgets: they draw state and say what the user asks for; they decide nothing."""
