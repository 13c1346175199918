"""SamplingForm: how an answer is chosen and how long it may be, checked by runtime's own options, field by field."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, Signal
from PySide6.QtWidgets import QLabel, QLineEdit, QPlainTextEdit, QVBoxLayout, QWidget

from desktop.translation import QT_TRANSLATE_NOOP
from desktop.views.parts import Choice, label
from desktop.views.theme import theme
from runtime import GenerationOptions, SamplingConfig, UserFacingError

_STOP_LINES = 3


@dataclass(frozen=True, kw_only=True)
class Number:
    """A field for a number. `wanted` is said of what runtime's options refuse, by the name that the field has here.
    `whole`: no fraction; `most`: the largest, where runtime takes any and services do not; `empty`: what an empty field
    means, None where it may not be."""

    name: str  # of SamplingConfig, or of GenerationOptions
    label: str
    help: str
    wanted: str
    whole: bool = False
    most: int | None = None
    empty: str | None = None

    def read(self, text: str) -> Any:
        """The value of a text; ValueError where it is no number, or too large a one."""
        text = text.strip()
        if not text and self.empty is not None:
            return None
        if "_" in text:  # which Python takes between digits
            raise ValueError(text)
        value = int(text) if self.whole else float(text.replace(",", "."))
        if self.most is not None and value > self.most:
            raise ValueError(text)
        return value


NUMBERS = (
    Number(
        name="temperature",
        label=QT_TRANSLATE_NOOP("SamplingForm", "Temperature"),
        help=QT_TRANSLATE_NOOP("SamplingForm", "0 always takes the likeliest word; higher is more varied."),
        wanted=QT_TRANSLATE_NOOP("SamplingForm", "{name} must be a number from 0 to 100."),
    ),
    Number(
        name="top_p",
        label=QT_TRANSLATE_NOOP("SamplingForm", "Top-p"),
        help=QT_TRANSLATE_NOOP("SamplingForm", "Only the likeliest words that together have this share; 1 keeps all."),
        wanted=QT_TRANSLATE_NOOP("SamplingForm", "{name} must be a number above 0 and no more than 1."),
    ),
    Number(
        name="top_k",
        label=QT_TRANSLATE_NOOP("SamplingForm", "Top-k"),
        help=QT_TRANSLATE_NOOP("SamplingForm", "Only this many of the likeliest words; 0 keeps all."),
        wanted=QT_TRANSLATE_NOOP("SamplingForm", "{name} must be a whole number from 0 to 1,000,000."),
        whole=True,
        most=1_000_000,
    ),
    Number(
        name="min_p",
        label=QT_TRANSLATE_NOOP("SamplingForm", "Min-p"),
        help=QT_TRANSLATE_NOOP(
            "SamplingForm", "Only words at least this likely, as a share of the likeliest; 0 keeps all."
        ),
        wanted=QT_TRANSLATE_NOOP("SamplingForm", "{name} must be a number from 0 to 1."),
    ),
    Number(
        name="repetition_penalty",
        label=QT_TRANSLATE_NOOP("SamplingForm", "Repetition penalty"),
        help=QT_TRANSLATE_NOOP("SamplingForm", "Above 1, words that were just used become less likely; 1 is off."),
        wanted=QT_TRANSLATE_NOOP("SamplingForm", "{name} must be a number from 0.1 to 10."),
    ),
    Number(
        name="max_new_tokens",
        label=QT_TRANSLATE_NOOP("SamplingForm", "Longest answer"),
        help=QT_TRANSLATE_NOOP("SamplingForm", "In tokens, about three quarters of a word each."),
        wanted=QT_TRANSLATE_NOOP("SamplingForm", "{name} must be a whole number from 1 to 1,000,000."),
        whole=True,
        most=1_000_000,
        empty=QT_TRANSLATE_NOOP("SamplingForm", "until the context is full"),
    ),
    Number(
        name="seed",
        label=QT_TRANSLATE_NOOP("SamplingForm", "Seed"),
        help=QT_TRANSLATE_NOOP("SamplingForm", "The same seed gives the same answer to the same chat."),
        wanted=QT_TRANSLATE_NOOP("SamplingForm", "{name} must be a whole number from 0 to 4,294,967,295."),
        whole=True,
        most=2**32 - 1,
        empty=QT_TRANSLATE_NOOP("SamplingForm", "another each time"),
    ),
)
POLICIES = ("rolling", "truncate-middle", "stop")


class SamplingForm(QWidget):
    """Tells of options whenever a field says something new that is right; what is wrong is said under its field."""

    optionsChanged = Signal(object)  # GenerationOptions

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._options = self._settled = GenerationOptions()
        """What was told last, and what it was when the last field was left."""
        self.fields: dict[str, QLineEdit] = {}
        self.errors: dict[str, QLabel] = {}
        self._names: dict[str, QLabel] = {}
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(4)
        for number in NUMBERS:
            self.fields[number.name] = QLineEdit()
            self._add(number.name, self.fields[number.name])
            self.fields[number.name].textEdited.connect(self._check)
            self.fields[number.name].editingFinished.connect(self._settle)
        self.policy = Choice()
        for policy in POLICIES:
            self.policy.addItem("", policy)
        self._add("context_policy", self.policy)
        self.stop = QPlainTextEdit()
        self.stop.setTabChangesFocus(True)
        self._add("stop", self.stop)
        theme().changed.connect(self._on_theme)
        self._on_theme()
        self.retranslate()
        self.set_options(self._options)
        self.policy.currentIndexChanged.connect(self._check)
        self.stop.textChanged.connect(self._check)

    def set_options(self, options: GenerationOptions) -> None:
        """Show `options`; nothing is emitted."""
        self._options = self._settled = options
        for number in NUMBERS:
            value = getattr(_holder(options, number.name), number.name)
            self.fields[number.name].setText("" if value is None else f"{value:g}" if not number.whole else str(value))
        self._quietly(self.policy, lambda: self.policy.setCurrentIndex(self.policy.findData(options.context_policy)))
        self._quietly(self.stop, lambda: self.stop.setPlainText("\n".join(map(_escaped, options.stop))))
        for error in self.errors.values():
            error.hide()

    def options(self) -> GenerationOptions:
        """What the fields say; of one that is wrong, which it then says, what it said before it was edited."""
        sampling: dict[str, Any] = {}
        whole: dict[str, Any] = {"context_policy": self.policy.currentData()}
        for number in NUMBERS:
            self._read(number.name, partial(self._number, number, sampling, whole))
        self._read("stop", partial(self._stop_texts, whole))
        return replace(self._settled, sampling=replace(self._settled.sampling, **sampling), **whole)

    def retranslate(self) -> None:
        """Texts in the language of now."""
        for number in NUMBERS:
            field = self.fields[number.name]
            self._name(number.name, self.tr(number.label), self.tr(number.help), field)
            field.setPlaceholderText("" if number.empty is None else self.tr(number.empty))
        self._name(
            "context_policy",
            self.tr("When the chat is longer than the context"),
            self.tr("What the model reads of it. Nothing is ever deleted."),
            self.policy,
        )
        texts = (self.tr("Leave out the oldest"), self.tr("Leave out the middle"), self.tr("Stop and say so"))
        for index, text in enumerate(texts):
            self.policy.setItemText(index, text)
        help_text = self.tr("Each line ends the answer where it appears; \\n stands for a new line.")
        self._name("stop", self.tr("Stop texts"), help_text, self.stop)
        if not all(error.isHidden() for error in self.errors.values()):
            self.options()  # says again what is wrong

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.LanguageChange:
            self.retranslate()

    def _add(self, name: str, field: QWidget) -> None:
        self._names[name] = label()
        self._names[name].setBuddy(field)
        self.errors[name] = label("danger")
        self.errors[name].hide()
        self._layout.addWidget(self._names[name])
        self._layout.addWidget(field)
        self._layout.addWidget(self.errors[name])
        self._layout.addSpacing(10)

    def _name(self, name: str, text: str, help_text: str, field: QWidget) -> None:
        self._names[name].setText(text)
        field.setAccessibleName(text)
        field.setToolTip(help_text)
        if self.errors[name].isHidden():
            field.setAccessibleDescription(help_text)

    def _number(self, number: Number, sampling: dict[str, Any], whole: dict[str, Any]) -> None:
        try:
            value = number.read(self.fields[number.name].text())
            if number.name == "max_new_tokens":
                GenerationOptions(max_new_tokens=value)
                whole[number.name] = value
            else:
                SamplingConfig(**{number.name: value})
                sampling[number.name] = value
        except ValueError:  # OptionError is one, too
            raise _FieldError(self.tr(number.wanted).format(name=self.tr(number.label))) from None

    def _stop_texts(self, into: dict[str, Any]) -> None:
        lines = [line for line in self.stop.toPlainText().split("\n") if line]
        stop = tuple(_unescaped(line) for line in lines)
        GenerationOptions(stop=stop)
        into["stop"] = stop

    def _read(self, name: str, read: Callable[[], None]) -> None:
        error = self.errors[name]
        field = self.fields.get(name) or self.stop
        try:
            read()
        except UserFacingError as wrong:
            error.setText(str(wrong))
            error.show()
            field.setAccessibleDescription(str(wrong))
            return
        error.hide()
        field.setAccessibleDescription(field.toolTip())

    def _check(self) -> None:
        options = self.options()
        if options != self._options:
            self._options = options
            self.optionsChanged.emit(options)

    def _settle(self) -> None:
        self._settled = self._options

    def _on_theme(self) -> None:
        self.stop.setFixedHeight(self.stop.fontMetrics().lineSpacing() * _STOP_LINES + theme().scaled(18))

    def _quietly(self, widget: QWidget, change: Callable[[], None]) -> None:
        widget.blockSignals(True)
        change()
        widget.blockSignals(False)


class _FieldError(UserFacingError):
    """A text that is no number, or none that the field takes."""


def _holder(options: GenerationOptions, name: str) -> SamplingConfig | GenerationOptions:
    return options if name == "max_new_tokens" else options.sampling


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _unescaped(line: str) -> str:
    parts = line.split("\\\\")
    return "\\".join(part.replace("\\n", "\n") for part in parts)
