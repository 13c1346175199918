"""Translation: the user's language for our texts and Qt's own, and the direction that it is written in."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator
from PySide6.QtWidgets import QApplication

FOLDER = Path(__file__).with_name("translations")
_translators: list[QTranslator] = []


def QT_TRANSLATE_NOOP(context: str, source: str) -> str:  # noqa: ARG001
    """`source`, marked for pyside6-lupdate, which knows this name. (PySide6's own function is not typed.)"""
    return source


def locale_of(language: str) -> QLocale:
    """The locale of a language of the settings: `system`, or a name as `zh_CN` or `ar`."""
    return QLocale.system() if language == "system" else QLocale(language)


def set_language(application: QApplication, language: str) -> None:
    """Show the window in `language`, live: widgets get a LanguageChange event and set their texts anew.

    A language that there is no translation for is shown in English, in its own direction.
    """
    for translator in _translators:
        QCoreApplication.removeTranslator(translator)
    _translators.clear()
    locale = locale_of(language)
    QLocale.setDefault(locale)
    application.setLayoutDirection(locale.textDirection())
    _install(application, QLocale(QLocale.Language.English), "falconet", str(FOLDER))  # one message, two messages
    if locale.language() != QLocale.Language.English:
        _install(application, locale, "qtbase", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath))
        _install(application, locale, "falconet", str(FOLDER))


def _install(application: QApplication, locale: QLocale, name: str, folder: str) -> None:
    """What is installed last is asked first."""
    translator = QTranslator(application)
    if translator.load(locale, name, "_", folder):
        QCoreApplication.installTranslator(translator)
        _translators.append(translator)
