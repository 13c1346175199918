"""Chats on disk: SQLite, without Qt."""
