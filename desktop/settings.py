"""The window's settings: frozen data, and the file that keeps them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from runtime import UserFacingError

ThemeName = Literal["system", "light", "dark"]
Language = Literal["system", "en", "zh_CN"]
ReducedMotion = Literal["system", "on", "off"]
SendWith = Literal["enter", "ctrl_enter"]
ContextPolicy = Literal["stop", "rolling", "truncate-middle"]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the user chose."""

    theme: ThemeName = "system"
    text_size: int = 100  # percent, 80 to 200
    language: Language = "system"
    reduced_motion: ReducedMotion = "system"
    high_contrast: bool = False
    send_with: SendWith = "enter"
    context_policy: ContextPolicy = "rolling"
    welcomed: bool = False


class SettingsError(UserFacingError):
    """Settings that cannot be written."""


class SettingsFile:
    """settings.json in the data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> Settings:
        """What the file says; defaults where there is none."""
        try:
            values = json.loads(self.path.read_text(encoding="utf-8"))
            return Settings(**{field.name: values[field.name] for field in fields(Settings) if field.name in values})
        except (OSError, ValueError, TypeError):
            return Settings()

    def save(self, settings: Settings) -> None:
        """Raises SettingsError where the disk fails."""
        try:
            beside = self.path.with_suffix(".new")
            beside.write_text(json.dumps(asdict(settings)), encoding="utf-8")
            beside.replace(self.path)
        except OSError as error:
            raise SettingsError(f"The settings could not be kept in {self.path}: {error.strerror}.") from error
