"""Presets in the database."""

from __future__ import annotations

from desktop.store.coding import options_from_json, options_to_json
from desktop.store.database import Database
from desktop.store.records import Preset
from desktop.store.words import clean
from runtime import GenerationOptions


def list_presets(db: Database) -> list[Preset]:
    """All presets by name."""
    rows = db.rows("SELECT * FROM presets ORDER BY name COLLATE NOCASE, id")
    return [
        Preset(
            id=row["id"],
            name=row["name"],
            system_prompt=row["system_prompt"],
            options=options_from_json(row["options"]),
        )
        for row in rows
    ]


def save(db: Database, name: str, system_prompt: str, options: GenerationOptions) -> Preset:
    """Keep a preset; one of the same name is replaced."""
    name = clean(name)
    sql = """INSERT INTO presets (name, system_prompt, options) VALUES (?, ?, ?)
        ON CONFLICT (name) DO UPDATE SET system_prompt = excluded.system_prompt, options = excluded.options"""
    values = (name, clean(system_prompt), options_to_json(options))
    db.change(lambda connection: connection.execute(sql, values))
    return next(preset for preset in list_presets(db) if preset.name == name)


def delete(db: Database, preset: int) -> None:
    """Remove a preset."""
    db.change(lambda connection: connection.execute("DELETE FROM presets WHERE id = ?", (preset,)))
