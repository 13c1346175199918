"""Models as the window shows them: those on this computer, exports, remote services, and the quick choice."""
