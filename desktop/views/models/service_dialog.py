"""ServiceDialog: a remote service's name, address, model and key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from PySide6.QtCore import QStringListModel, Qt, Signal, SignalInstance
from PySide6.QtWidgets import (
    QCompleter,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from desktop.store.records import Service
from desktop.views.dialog import Dialog
from desktop.views.parts import Paragraph, Scrolled
from desktop.views.sentence import Sentence
from desktop.views.sheet import set_kind, set_property

_LINES = 4  # of what a test found that are seen at once


@dataclass(frozen=True, kw_only=True)
class ServiceForm:
    """What was typed. `key` None leaves the key that is kept as it is; an empty one takes it away."""

    name: str
    url: str
    model: str | None
    key: str | None = field(default=None, repr=False)


class ServiceDialog(Dialog):
    """Closes when the user agrees and what was typed can be kept."""

    agreed = Signal(object)  # ServiceForm
    testRequested = Signal(object)  # ServiceForm
    modelsRequested = Signal(object)  # ServiceForm: which models are there

    def __init__(self, service: Service | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._has_key = service is not None and service.has_key
        self.setWindowTitle(self.tr("Edit Service") if service is not None else self.tr("Add Service"))
        self.name, self.url, self.model, self.key = QLineEdit(), QLineEdit(), QLineEdit(), QLineEdit()
        self.url.setPlaceholderText("https://example.com/v1")
        self.model.setPlaceholderText(self.tr("the first that the service names"))
        self.key.setEchoMode(QLineEdit.EchoMode.Password)
        self.key.setPlaceholderText(
            self.tr("kept in the keychain; type to replace it") if self._has_key else self.tr("none")
        )
        if service is not None:
            self.name.setText(service.name)
            self.url.setText(service.url)
            self.model.setText(service.model or "")
        form = self._make_form()
        self.warning = Paragraph(
            "muted", self.tr("What you write to this service, and the conversation before it, leaves this computer.")
        )
        self.told = Sentence(_LINES)
        self.told.setAccessibleName(self.tr("What the test found"))
        self.told.keep_height()
        self.buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Save | QDialogButtonBox.StandardButton.Cancel)
        self.test_button = self.buttons.addButton(self.tr("Test"), QDialogButtonBox.ButtonRole.ActionRole)
        self.test_button.setToolTip(self.tr("Send the word “Hello” to the service and wait for its answer."))
        self.save_button = self.buttons.button(QDialogButtonBox.StandardButton.Save)
        set_kind(self.save_button, "primary")
        self.save_button.setDefault(True)
        self.buttons.button(QDialogButtonBox.StandardButton.Cancel).setAutoDefault(False)  # what was typed is not lost
        self.test_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        inside = QWidget()
        column = self._column = QVBoxLayout(inside)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(16)
        column.addWidget(self.warning)
        column.addLayout(form)
        column.addWidget(self.told)
        column.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(32, 28, 32, 24)
        layout.setSpacing(16)
        self._scroll = Scrolled(inside)
        layout.addWidget(self._scroll, 1)
        layout.addWidget(self.buttons)
        self.setMinimumWidth(520)
        self.buttons.rejected.connect(self.reject)
        self.buttons.accepted.connect(self._on_save)
        self.test_button.clicked.connect(partial(self._on_question, self.testRequested, self.test_button))
        self.models_button.clicked.connect(partial(self._on_question, self.modelsRequested, self.models_button))
        for edit in (self.url, self.model, self.key):
            edit.textEdited.connect(self._forget)
        self.name.setFocus()

    def _make_form(self) -> QFormLayout:
        form = QFormLayout()
        form.setHorizontalSpacing(16)
        form.setVerticalSpacing(12)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        fields = (
            (self.tr("&Name"), self.name),
            (self.tr("&Address"), self.url),
            (self.tr("&Model"), self.model),
            (self.tr("&Key"), self.key),
        )
        for text, edit in fields:
            caption = QLabel(text)
            caption.setBuddy(edit)
            edit.setAccessibleName(text.replace("&", ""))
            if edit is self.model:
                form.addRow(caption, self._with_models())
            else:
                form.addRow(caption, edit)
        return form

    def _with_models(self) -> QHBoxLayout:
        """The model's field beside a button that lists what the service offers, which completes what is typed."""
        self.models_button = QPushButton(self.tr("List"))
        self.models_button.setToolTip(self.tr("Ask the service which models it offers."))
        self.models_button.setAutoDefault(False)
        self._offered = QStringListModel(self)
        offers = QCompleter(self._offered, self)
        offers.setFilterMode(Qt.MatchFlag.MatchContains)
        offers.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.model.setCompleter(offers)
        beside = QHBoxLayout()
        beside.setSpacing(8)
        beside.addWidget(self.model, 1)
        beside.addWidget(self.models_button)
        return beside

    def form(self) -> ServiceForm:
        """What is typed now. A name that was left out is the address's."""
        url = self.url.text().strip()
        key = self.key.text().strip()
        return ServiceForm(
            name=self.name.text().strip() or urlsplit(url).hostname or url,
            url=url,
            model=self.model.text().strip() or None,
            key=key or None,
        )

    def tell(self, sentence: str, *, well: bool) -> None:
        """Say what a test found, or what cannot be kept."""
        self.told.say(sentence)
        set_property(self.told, "tone", "muted" if well else "danger")
        self._set_asking(False)
        if sentence:
            self._scroll.ensureWidgetVisible(self.told)

    def wanted_height(self, width: int) -> int:
        layout = self.layout()
        assert layout is not None
        margins = layout.contentsMargins()
        column = self._column.totalHeightForWidth(width - margins.left() - margins.right())
        return margins.top() + column + layout.spacing() + self.buttons.sizeHint().height() + margins.bottom()

    def offer_models(self, names: Sequence[str]) -> None:
        """Let one of these be chosen, all of them at first and those that have what is typed then."""
        self._offered.setStringList(list(names))
        self.model.setFocus()
        completer = self.model.completer()
        if (popup := completer.popup()) is not None:
            popup.setFont(self.model.font())
        completer.setCompletionPrefix("")
        completer.complete()

    def _forget(self) -> None:
        """What was said is of what was typed before."""
        if self.test_button.isEnabled():
            self.tell("", well=True)

    def _on_save(self) -> None:
        if self._is_right():
            self.agreed.emit(self.form())
            self.accept()

    def _on_question(self, question: SignalInstance, button: QPushButton) -> None:
        if self._is_right():
            self.tell(self.tr("Asking the service…"), well=True)
            if button.hasFocus():  # which Qt would give to what comes next
                self.save_button.setFocus()
            self._set_asking(True)
            question.emit(self.form())

    def _set_asking(self, asking: bool) -> None:
        for button in (self.test_button, self.models_button):
            button.setEnabled(not asking)

    def _is_right(self) -> bool:
        try:
            parts = urlsplit(self.url.text().strip())
            right = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            right = False
        if not right:
            self.tell(self.tr("The address must begin with http:// or https:// and name a server."), well=False)
            self.url.setFocus()
        return right
