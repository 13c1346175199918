"""Settings: what the user chose for the whole program, and the file that keeps it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from desktop.devices import DeviceName
from desktop.files import unused, write_whole
from runtime import UserFacingError

ThemeName = Literal["system", "light", "dark"]
Language = Literal["system", "en", "zh_CN"]
ReducedMotion = Literal["system", "on", "off"]
TextColumn = Literal["narrow", "wide"]
SendWith = Literal["enter", "ctrl_enter"]
ContextPolicy = Literal["stop", "rolling", "truncate-middle"]

TEXT_SIZES = range(80, 201)  # percent


class SettingsError(UserFacingError):
    """The settings cannot be kept."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Frozen; `dataclasses.replace` makes changed ones. Raises ValueError for a value that is none of the allowed."""

    theme: ThemeName = "system"
    text_size: int = 100  # percent
    language: Language = "system"
    reduced_motion: ReducedMotion = "system"
    high_contrast: bool = False
    text_column: TextColumn = "narrow"  # how wide a conversation is, where the window has room
    send_with: SendWith = "enter"
    model: str | None = None  # key of the model that new chats begin with
    models_folders: tuple[str, ...] = ()  # where bundles are looked for, beside the usual places
    chat_formats: Mapping[str, str] = field(default_factory=dict)  # runtime's, by keys of models that name none
    context_policy: ContextPolicy = "rolling"  # runtime's, of new chats
    compute_on: DeviceName = "automatic"  # where models of this computer are computed
    welcomed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "models_folders", _folders(self.models_folders))
        object.__setattr__(self, "chat_formats", _texts(self.chat_formats))
        for name, hint in get_type_hints(type(self)).items():
            if name not in ("models_folders", "chat_formats") and not _fits(getattr(self, name), hint):
                raise ValueError(f"{name} cannot be {getattr(self, name)!r:.60}")
        if self.text_size not in TEXT_SIZES:
            raise ValueError(f"text_size must be {TEXT_SIZES.start} to {TEXT_SIZES.stop - 1}, not {self.text_size}")


class SettingsFile:
    """The settings on disk, as JSON by field."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notice: str | None = None
        """One sentence for the user where the file was damaged."""
        self._unknown: dict[str, Any] = {}  # what a newer program keeps here; it stays in the file

    def load(self) -> Settings:
        """What is on disk; where a field is missing, unknown or not allowed, its default. Never raises for the disk.

        A file that is damaged is set aside under a name with the date, and `notice` says so.
        """
        try:
            values = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return Settings()
        except OSError as error:
            self.notice = (
                f"{self.path} could not be read ({error.strerror or error}), so every setting has its default."
            )
            return _after_damage()
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict):
            self._set_aside()
            return _after_damage()
        known = {setting.name for setting in fields(Settings)}
        self._unknown = {name: value for name, value in values.items() if name not in known}
        settings = Settings()
        for name in known & values.keys():
            try:
                settings = replace(settings, **{name: values[name]})
            except ValueError:  # its default stays: settings must not keep a program from starting
                continue
        return settings

    def save(self, settings: Settings) -> None:
        """Keep settings, whole or not at all. Raises SettingsError."""
        text = json.dumps(self._unknown | asdict(settings), ensure_ascii=False, indent=1) + "\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self.path, text)
        except OSError as error:
            raise SettingsError(
                f"The settings could not be saved in {self.path.parent} ({error.strerror or error}); free some space "
                "or allow writing there."
            ) from error

    def _set_aside(self) -> None:
        name = f"{self.path.stem}-damaged-{time.strftime('%Y%m%d-%H%M%S')}{self.path.suffix}"
        aside = unused(self.path.with_name(name))
        try:
            self.path.replace(aside)
        except OSError as error:
            self.notice = f"The file of your settings is damaged and could not be moved ({error.strerror or error})."
            return
        self.notice = (
            f"The file of your settings was damaged: every setting has its default, and {aside.name} keeps it."
        )


def _after_damage() -> Settings:
    """Who has a file of settings has seen the welcome, which would stand before the notice."""
    return Settings(welcomed=True)


def _folders(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(folder, str) and folder for folder in value):
        raise ValueError("models_folders must be a list of folders")
    return tuple(dict.fromkeys(value))


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise ValueError("chat_formats must be texts by texts")
    return dict(value)


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return isinstance(value, str) and value in get_args(hint)
    kinds = get_args(hint) or (hint,)
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))
