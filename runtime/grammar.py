"""Matcher: which tokens keep an answer inside its grammar. The grammars are llguidance's, the vocabulary is ours."""

from __future__ import annotations

import functools
import json
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from runtime.errors import OptionError
from runtime.options import Grammar
from runtime.packages import install_command
from runtime.tokenizer import Tokenizer

_LIMITS = ("too many", "; max is ")  # llguidance's words for its own; its stop_reason is the one of a bug, then
_SETTINGS = "x-guidance"  # where a schema tells llguidance how strict to be
_NAMES = {"json_schema": "JSON schema", "regex": "regex"}  # for people


class Matcher:
    """One answer's place in its grammar. Raises OptionError for a grammar that is none, or where llguidance is not
    installed."""

    def __init__(self, grammar: Grammar, tokenizer: Tokenizer, *, leading_space: bool = False) -> None:
        """`leading_space`: one that is not of the grammar may come first, as in answers of chat formats, unless the
        grammar's own text may begin with one."""
        self._eos_id = tokenizer.eos_id
        self._kind = grammar.kind
        self.leading_space = leading_space and grammar.kind == "json_schema"  # whose text never does: see `_source`
        self._matcher = _matcher(grammar, tokenizer, leading_space=self.leading_space)
        if leading_space and not self.leading_space:
            self.leading_space = not self.allowed(tokenizer.vocab_size)[tokenizer.encode(" ")[0]]
            if self.leading_space:
                self._matcher = _matcher(grammar, tokenizer, leading_space=True)

    def allowed(self, count: int) -> npt.NDArray[np.bool_]:
        """Which of the first `count` ids may come next, [count]; at the grammar's end the end of text alone. Raises
        OptionError where nothing may."""
        if self._matcher.is_stopped():
            allowed = np.zeros(count, np.bool_)
            allowed[self._eos_id] = True
            return allowed
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        self._check_limits()
        allowed = np.unpackbits(bits, bitorder="little", count=count).view(np.bool_)
        if allowed[self._eos_id] and not self._matcher.is_accepting():  # what llguidance allows where nothing fits
            raise OptionError(f"no text can be all that the {_NAMES[self._kind]} asks for; correct it.")
        return allowed

    def accept(self, token: int) -> None:
        """`token`, which was allowed, comes next."""
        if not self._matcher.is_stopped() and not self._matcher.consume_token(token):
            self._check_limits()
            raise RuntimeError(f"token {token} was chosen against the grammar: {self._matcher.get_error()}")

    def _check_limits(self) -> None:
        """OptionError where the grammar turned out to be more than llguidance follows."""
        said = str(self._matcher.get_error()) if self._matcher.is_error() else ""
        first, _, _ = said.partition("\n")  # a copy of the grammar follows
        if first.startswith("lexer error") or any(limit in first.lower() for limit in _LIMITS):
            raise OptionError(f"the {_NAMES[self._kind]} is too complex to be followed; simplify it.")


def check_grammar(grammar: Grammar) -> None:
    """OptionError for a grammar that is none, or where llguidance is not installed. Needs no vocabulary; one that
    turns out too complex is refused by its Matcher alone."""
    problem = _library().LLMatcher.validate_grammar(_source(grammar, leading_space=False))
    if problem:
        raise _unusable(grammar, problem)


def parsed_schema(grammar: Grammar) -> Any:
    """The JSON of a `json_schema`. Raises OptionError for text that is no JSON."""
    try:
        return json.loads(grammar.text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"the JSON schema is not JSON ({error}); correct it.") from None


def _matcher(grammar: Grammar, tokenizer: Tokenizer, *, leading_space: bool) -> Any:
    """llguidance's own. Raises as Matcher."""
    llguidance, source = _library(), _source(grammar, leading_space=leading_space)
    made = llguidance.LLMatcher(_vocabulary(tokenizer), source, log_level=0)
    if made.is_error():
        raise _unusable(grammar, str(made.get_error()))
    return made


def _library() -> Any:
    try:
        import llguidance
    except ImportError:
        raise OptionError(f"a grammar needs llguidance: `{install_command('grammar')}`.") from None
    return llguidance


def _unusable(grammar: Grammar, problem: str) -> OptionError:
    return OptionError(f"the {_NAMES[grammar.kind]} cannot be used: {_reason(problem)}.")


def _source(grammar: Grammar, *, leading_space: bool) -> str:
    """The grammar in llguidance's own form."""
    from llguidance import LLMatcher

    if grammar.kind == "regex":
        source: str = LLMatcher.grammar_from_regex(grammar.text)
        if not leading_space:
            return source
        regex = json.loads(source)["grammars"][0]["lark_grammar"].removeprefix("start: ")  # quoted as Lark wants it
        return LLMatcher.grammar_from_lark(f'start: " "? body\nbody: {regex}\n')  # anchors may stand in one of its own
    schema = parsed_schema(grammar)
    if not isinstance(schema, dict | bool):
        raise OptionError('a JSON schema is an object, such as {"type": "object"}.')
    if isinstance(schema, dict):
        if _SETTINGS in schema:
            raise OptionError(f"the JSON schema cannot be used: {_SETTINGS} could loosen it; leave it out.")
        # A small model may write white space for ever where it is free to.
        spaces = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        schema = {_SETTINGS: spaces, **schema}
    lead = '" "? ' if leading_space else ""
    return LLMatcher.grammar_from_lark(f"start: {lead}body\nbody: %json {json.dumps(schema)}\n")


def _reason(message: str) -> str:
    """What llguidance says, without its copy of the grammar: the first line that is a sentence of its own."""
    lines = [line.strip() for line in message.splitlines()]
    named = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (named[0] if named else re.sub(r"^at \d+\(\d+\): ", "", lines[0]))[:200].rstrip(". ")


class _Words:
    """The vocabulary as llguidance asks for it."""

    bos_token_id = None

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.eos_token_id = tokenizer.eos_id
        self.special_token_ids = sorted(tokenizer.control_ids)
        self.tokens = [tokenizer.token_bytes(token) for token in range(tokenizer.vocab_size)]

    def __call__(self, text: bytes | str) -> list[int]:
        return self._tokenizer.encode(text.decode("utf-8", errors="replace") if isinstance(text, bytes) else text)


@functools.lru_cache(maxsize=2)  # half a second for Falcon's 65,024 tokens
def _vocabulary(tokenizer: Tokenizer) -> Any:
    from llguidance import LLTokenizer, TokenizerWrapper

    return LLTokenizer(TokenizerWrapper(_Words(tokenizer)), n_vocab=tokenizer.vocab_size)
