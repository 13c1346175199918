"""The chat window: PySide6 over runtime's public names."""
