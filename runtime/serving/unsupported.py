"""Fields that mean something this server does not do. They are refused, as leaving them out in silence would change
what the client gets; fields that nobody here knows are read over, as clients send many that change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runtime.serving.errors import RefusalError
from runtime.serving.fields import Fields

NO_TOOLS = "this server's models know no tools"
_GRAMMARS = "response_format and structured_outputs (json, regex) are what binds answers here"

# Field: the values that ask for nothing, and what the server has to say about others.
_CHAT: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "tools": (([],), NO_TOOLS),
    "tool_choice": (("none", "auto"), NO_TOOLS),
    "functions": (([],), NO_TOOLS),
    "function_call": (("none", "auto"), NO_TOOLS),
    "audio": ((), "the model writes text only"),
    "modalities": ((["text"], []), "the model writes text only"),
    "web_search_options": ((), "the model reads nothing but the messages"),
    "documents": (([],), "the model reads nothing but the messages"),
    "chat_template": ((), "the chat format is chosen where the server is started (--template)"),
    "echo": ((False,), "the reply holds the answer alone"),
}
_TEXT: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "echo": ((False,), "the reply holds the continuation alone"),
    "suffix": (("",), "the model continues texts and fills no gaps"),
    "prompt_embeds": ((), "a prompt is a text"),
}
_BOTH: Mapping[str, tuple[tuple[Any, ...], str]] = {
    "use_beam_search": ((False,), "tokens are chosen one by one"),
    "length_penalty": ((1,), "it belongs to beam search, which is not done here"),
    "min_tokens": ((0,), "an answer ends where the model ends it"),
    "ignore_eos": ((False,), "an answer ends where the model ends it"),
    "stop_token_ids": (([],), "answers end at texts: use stop"),
    "include_stop_str_in_output": ((False,), "a stop text is no part of an answer"),
    "bad_words": (([],), "use logit_bias to keep tokens out"),
    "allowed_token_ids": (([],), _GRAMMARS),
    "logits_processors": (([],), "use logit_bias"),
    "prompt_logprobs": ((False,), "log-probabilities are given of answers alone"),
    "truncate_prompt_tokens": ((), "a prompt is read whole or not at all"),
    "guided_choice": ((), _GRAMMARS),
    "guided_grammar": ((), _GRAMMARS),
    "grammar": (("",), _GRAMMARS),
    "json_schema": ((), _GRAMMARS),
    "repeat_penalty": ((1,), "it is called repetition_penalty here"),
    "typ_p": ((1,), "it is called typical_p here"),
    "n_predict": ((), "it is called max_tokens here"),
    "mirostat": ((0,), "the server does not have this way to choose tokens"),
    "dynatemp_range": ((0,), "the server does not have this way to choose tokens"),
    "dry_multiplier": ((0,), "the server does not have this way to choose tokens"),
    "xtc_probability": ((0,), "the server does not have this way to choose tokens"),
}
_NAMED_TOOLS = {"tools": "tool_choice", "functions": "function_call"}  # what says which are used, perhaps "none"


def refuse_unsupported(fields: Fields, *, chat: bool) -> None:
    """Raise RefusalError for a field of `fields` that asks for what the server does not do."""
    known = {**_BOTH, **(_CHAT if chat else _TEXT)}
    for name, value in fields.items():
        if name in known:
            neutral, reason = known[name]
            unused = name in _NAMED_TOOLS and fields.get(_NAMED_TOOLS[name]) == "none"
            if value not in neutral and not unused:
                sentence = f"{name} cannot be followed: {reason}; leave it out."
                raise RefusalError(sentence, param=name, code="unsupported_parameter")
