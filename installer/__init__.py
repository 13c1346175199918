"""How the desktop app is packed."""
