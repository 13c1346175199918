"""What is asked of an OpenAI-compatible service: options as the fields of a request.

OpenAI's own: temperature, top_p, max_tokens, stop, seed, presence_penalty, frequency_penalty, logit_bias, logprobs,
response_format. top_k, min_p, repetition_penalty and typical_p are vLLM's, SGLang's, TGI's names and sent only where
they are not at their defaults; a regular expression goes under vLLM's two names. What has no field is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.chat import Message
from runtime.errors import OptionError
from runtime.grammar import parsed_schema
from runtime.options import GenerationOptions, Grammar
from runtime.sampling import SamplingConfig
from runtime.tokenizer import utf8

_UNKNOWN_CONTEXT = 2_048  # tokens, where a text is to be continued until an unknown context is full
_LEAST_TOKENS = 256


def chat_fields(messages: Sequence[Message], options: GenerationOptions, model: str) -> dict[str, Any]:
    """The body of POST /chat/completions. Raises OptionError for an option that has no field, TokenizerError."""
    for message in messages:
        utf8(message.content)
    said = [{"role": message.role, "content": message.content} for message in messages]
    fields = {"model": model} | option_fields(options) | {"messages": said}
    if options.logprobs is not None:
        fields |= {"logprobs": True, "top_logprobs": options.logprobs, "return_tokens_as_token_ids": True}
    return fields


def continued_fields(messages: Sequence[Message], options: GenerationOptions, model: str) -> dict[str, Any]:
    """The body of POST /chat/completions whose last message is an answer that goes on: the names are transformers',
    which vLLM and llama.cpp's server took over. Raises as `chat_fields`."""
    return chat_fields(messages, options, model) | {"continue_final_message": True, "add_generation_prompt": False}


def completion_fields(
    prompt: str, options: GenerationOptions, model: str, context_length: int | None
) -> dict[str, Any]:
    """The body of POST /completions. Raises as `chat_fields`.

    Without `max_new_tokens` services write 16 tokens here. A token is at least a byte, so what the prompt leaves of the
    context is at least what is asked for instead.
    """
    prompt_bytes = len(utf8(prompt))
    fields = {"model": model} | option_fields(options) | {"prompt": prompt}
    if options.max_new_tokens is None:
        room = (context_length or _UNKNOWN_CONTEXT) - prompt_bytes
        fields["max_tokens"] = max(room, _LEAST_TOKENS)
    if options.logprobs is not None:
        fields |= {"logprobs": options.logprobs, "return_tokens_as_token_ids": True}
    return fields


def option_fields(options: GenerationOptions) -> dict[str, Any]:
    """What every request says of `options`. Raises OptionError for one that has no field."""
    sampling = options.sampling
    _refuse(options)
    fields: dict[str, Any] = {
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0 if sampling.greedy else sampling.temperature,
        "top_p": sampling.top_p,
    }
    usual = SamplingConfig()
    for name in ("presence_penalty", "frequency_penalty", "top_k", "min_p", "repetition_penalty", "typical_p", "seed"):
        if getattr(sampling, name) != getattr(usual, name):
            fields[name] = getattr(sampling, name)
    if options.max_new_tokens is not None:
        fields["max_tokens"] = options.max_new_tokens
    if options.stop:
        fields["stop"] = list(options.stop)
    if sampling.logit_bias:
        fields["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias.items()}
    if options.grammar is not None:
        fields |= _grammar_fields(options.grammar)
    return fields


def _refuse(options: GenerationOptions) -> None:
    """OptionError for what no field says; `prompt_lookup` changes no answer and is the service's own affair."""
    sampling = options.sampling
    if sampling.order != "transformers" and not sampling.greedy:
        raise OptionError(f"order {sampling.order} cannot be asked of a service; leave it at transformers.")
    if sampling.repetition_penalty != 1 and sampling.repetition_window != 0:
        raise OptionError(
            "repetition_window cannot be asked of a service, which penalises the whole text; set it to 0, or "
            "repetition_penalty to 1."
        )
    if options.context_policy != "stop":
        raise OptionError(
            f"context_policy {options.context_policy} needs the model's tokenizer, which a service keeps to itself; "
            "use stop."
        )
    if sampling.seed is not None and sampling.seed >= 2**63:
        raise OptionError("a service's seed must be below 2**63.")


def _grammar_fields(grammar: Grammar) -> dict[str, Any]:
    if grammar.kind == "regex":  # vLLM from 0.12 on, and before
        return {"structured_outputs": {"regex": grammar.text}, "guided_regex": grammar.text}
    schema = parsed_schema(grammar)
    if not isinstance(schema, dict):
        raise OptionError('a JSON schema is an object, such as {"type": "object"}.')
    return {
        "response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    }
