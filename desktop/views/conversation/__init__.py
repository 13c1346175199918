"""The conversation view. Its modules are imported one by one: the window loads them so, between events."""
