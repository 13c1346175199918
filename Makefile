# Two commands: `make demo` and `make test`. PYTHON=python3.12 chooses an interpreter (3.11 to 3.13).
# The first that runs and is of a version that will do: a name on the path may be a shim with nothing behind it.
PYTHON ?= $(shell for python in python3.12 python3.13 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
TRANSLATIONS := desktop/translations/falconet

.PHONY: demo test lint install translations screenshots package system clean

demo: $(STAMP)
	@$(BIN)/python -m export.demo

test: system $(STAMP) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --max-worker-restart 0

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory --jobs types-linux types-darwin types-win32
	$(BIN)/lint-imports

# Each platform has a cache of its own: in a shared one, each run would check all files anew. A bundle is only used on
# Windows, so the exporter is not asked there.
types-%: $(STAMP)
	$(BIN)/mypy --platform $* --cache-dir .mypy_cache/$* $(if $(filter win32,$*),--no-warn-unreachable -p runtime -p desktop)

install: $(STAMP)

$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "Falconet needs Python 3.11 to 3.13; name one with make PYTHON=..."; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing packages into $(VENV) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[desktop,serve,dev]'
	@touch $(STAMP)

# Collects the window's texts; then translate what is "unfinished" in the .ts files, and run it again for the .qm files.
# English is the source: its file has only what differs between one and many.
LUPDATE = $(BIN)/pyside6-lupdate -silent -locations none -no-obsolete $$(find desktop -name '*.py' | sort)
translations: $(STAMP)
	$(LUPDATE) -ts $(TRANSLATIONS)_zh_CN.ts
	$(LUPDATE) -pluralonly -target-language en -ts $(TRANSLATIONS)_en.ts
	$(BIN)/pyside6-lrelease -silent $(TRANSLATIONS)_zh_CN.ts -qm $(TRANSLATIONS)_zh_CN.qm
	$(BIN)/pyside6-lrelease -silent $(TRANSLATIONS)_en.ts -qm $(TRANSLATIONS)_en.qm

# The pictures of the window in docs/images: the program itself, brought into its main states without a screen. On Debian
# root gets the fonts that they are set in, Chinese included; elsewhere the system's own are taken.
screenshots: system $(STAMP)
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		dpkg -s fonts-inter fonts-dejavu-core fonts-noto-cjk >/dev/null 2>&1 || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends \
			fonts-inter fonts-dejavu-core fonts-noto-cjk >/dev/null; }; \
	fi
	OMP_NUM_THREADS=1 $(BIN)/python -m screenshots

# The desktop app as a folder or a .app, started once without a screen; takes minutes. See docs/desktop-packaging.md.
package: system $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[desktop,export,package]'
	$(BIN)/pyinstaller --noconfirm --log-level WARN --workpath build/pyinstaller installer/falconet.spec
	$(BIN)/python -m installer.check dist

# What Qt needs to open a window without a screen, and tests to list processes; only Debian with root can and needs to be
# helped.
DEBIAN := libegl1 libgl1 libxkbcommon0 libdbus-1-3 libfontconfig1 procps
system:
	@if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
		dpkg -s $(DEBIAN) >/dev/null 2>&1 || \
		{ apt-get update -qq && apt-get install -y -qq --no-install-recommends $(DEBIAN) >/dev/null; }; \
	fi

clean:
	rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
