"""Remote services in the database. Their keys are in the system's keychain."""

from __future__ import annotations

import sqlite3

from desktop.store.database import Database
from desktop.store.errors import StoreError
from desktop.store.records import Service
from desktop.store.words import clean


def list_services(db: Database) -> list[Service]:
    """All services, in the order in which they were added."""
    return [_to_service(row) for row in db.rows("SELECT * FROM services ORDER BY id")]


def save(db: Database, name: str, url: str, model: str | None, has_key: bool, service: int | None) -> Service:
    """Add a service, or change the one with the id `service`."""
    values = (clean(name), clean(url), model, int(has_key))

    def work(connection: sqlite3.Connection) -> sqlite3.Row:
        if service is None:
            sql = "INSERT INTO services (name, url, model, has_key) VALUES (?, ?, ?, ?)"
            kept = connection.execute(sql, values).lastrowid
        else:
            sql = "UPDATE services SET name = ?, url = ?, model = ?, has_key = ? WHERE id = ?"
            connection.execute(sql, (*values, service))
            kept = service
        row: sqlite3.Row | None = connection.execute("SELECT * FROM services WHERE id = ?", (kept,)).fetchone()
        if row is None:
            raise StoreError("This service was removed; add it again.")
        return row

    return _to_service(db.change(work))


def delete(db: Database, service: int) -> None:
    """Remove a service."""
    db.change(lambda connection: connection.execute("DELETE FROM services WHERE id = ?", (service,)))


def _to_service(row: sqlite3.Row) -> Service:
    return Service(**{**dict(row), "has_key": bool(row["has_key"])})
