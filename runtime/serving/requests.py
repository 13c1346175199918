"""Ask: what a request wants to have answered, read from OpenAI's fields and from those that vLLM adds to them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from runtime.chat import Message
from runtime.errors import UserFacingError
from runtime.options import MOST_LOGPROBS, GenerationOptions
from runtime.sampling import SamplingConfig
from runtime.serving.errors import RefusalError, refusal_of
from runtime.serving.fields import Fields, read_fields
from runtime.serving.forms import read_grammar
from runtime.serving.messages import read_messages
from runtime.serving.unsupported import refuse_unsupported

_COMPLETION_TOKENS = 16  # of a completion that says no number, as OpenAI's API has it
_MOST_STOPS = 64  # texts, each of which is looked for at every token, while other answers wait; OpenAI's API takes 4
_LONGEST_ID = 12  # digits; no vocabulary has so many tokens
_NUMBERS = ("temperature", "top_p", "min_p", "typical_p", "repetition_penalty", "presence_penalty", "frequency_penalty")

Prompt = tuple[Message, ...] | str


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One request: `count` answers to each of `prompts`, which is one conversation, or are texts to be continued."""

    model: str | None
    prompts: tuple[Prompt, ...]
    options: GenerationOptions
    count: int = 1
    goes_on: bool = False  # the last message is an answer to be continued
    stream: bool = False
    usage: bool = False  # a stream counts tokens at its end
    ids: bool = False  # tokens are named by their ids, as `token_id:5`

    @property
    def chat(self) -> bool:
        """Whether it is a conversation."""
        return not isinstance(self.prompts[0], str)

    @property
    def choices(self) -> tuple[tuple[Prompt, GenerationOptions], ...]:
        """Each answer's prompt and options, in the order of their index. With a seed, every answer has its own."""
        return tuple((prompt, self._options(place)) for prompt in self.prompts for place in range(self.count))

    def _options(self, place: int) -> GenerationOptions:
        sampling = self.options.sampling
        if sampling.seed is None or not place:
            return self.options
        return replace(self.options, sampling=replace(sampling, seed=sampling.seed + place))


def read_chat(body: bytes, *, most: int) -> Ask:
    """The body of POST /v1/chat/completions; at most `most` answers. Raises RefusalError, which names the field."""
    fields = read_fields(body)
    refuse_unsupported(fields, chat=True)
    messages = read_messages(fields)
    goes_on = fields.flag("continue_final_message")
    _check_continued(fields, goes_on=goes_on)
    most_logprobs = fields.whole("top_logprobs", most=MOST_LOGPROBS)
    if most_logprobs and not fields.flag("logprobs"):
        raise RefusalError("top_logprobs need logprobs: set that to true.", param="top_logprobs", code="invalid_value")
    limit = "max_completion_tokens" if "max_completion_tokens" in fields else "max_tokens"
    return _ask(
        fields,
        (messages,),
        most=most,
        goes_on=goes_on,
        max_new_tokens=_limit(fields, limit, None),
        logprobs=(most_logprobs or 0) if fields.flag("logprobs") else None,
    )


def read_completion(body: bytes, *, most: int) -> Ask:
    """The body of POST /v1/completions. As `read_chat`."""
    fields = read_fields(body)
    refuse_unsupported(fields, chat=False)
    if "prompt" not in fields:
        raise fields.wrong("prompt", "a text or a list of texts")
    prompts: Any = fields["prompt"]
    if isinstance(prompts, list) and prompts and not isinstance(prompts[0], str):
        raise RefusalError(
            "prompt must be text, or a list of texts, not token ids.", param="prompt", code="invalid_type"
        )
    texts = fields.texts("prompt")
    if not texts:
        raise fields.wrong("prompt", "a text or a list of texts")
    return _ask(
        fields,
        texts,
        most=most,
        goes_on=False,
        max_new_tokens=_limit(fields, "max_tokens", _COMPLETION_TOKENS),
        logprobs=fields.whole("logprobs", most=MOST_LOGPROBS),
    )


def _ask(
    fields: Fields,
    prompts: tuple[Prompt, ...],
    *,
    most: int,
    goes_on: bool,
    max_new_tokens: int | None,
    logprobs: int | None,
) -> Ask:
    stream = fields.flag("stream")
    shown = fields.object("stream_options")
    if shown is not None and not stream:
        raise RefusalError(
            "stream_options need stream: set that to true.", param="stream_options", code="invalid_value"
        )
    try:
        options = GenerationOptions(
            sampling=_sampling(fields),
            max_new_tokens=max_new_tokens,
            stop=_stops(fields),
            logprobs=logprobs,
            grammar=read_grammar(fields),
        )
    except UserFacingError as error:
        raise refusal_of(error) from None
    return Ask(
        model=fields.text("model"),
        prompts=prompts,
        options=options,
        count=_count(fields, len(prompts), most),
        goes_on=goes_on,
        stream=stream,
        usage=shown is not None and shown.flag("include_usage"),
        ids=fields.flag("return_tokens_as_token_ids"),
    )


def _limit(fields: Fields, name: str, usual: int | None) -> int | None:
    """The most tokens of an answer; None is no limit, for which llama.cpp and LM Studio say -1."""
    if type(fields.get(name)) is int and fields[name] == -1:
        return None
    return fields.whole(name, least=1) or usual


def _stops(fields: Fields) -> tuple[str, ...]:
    texts = fields.texts("stop")
    if len(texts) > _MOST_STOPS:
        sentence = f"stop must be at most {_MOST_STOPS} texts, not {len(texts):,}."
        raise RefusalError(sentence, param="stop", code="invalid_value")
    return texts


def _seed(fields: Fields) -> int | None:
    """64 bits with a sign, as OpenAI has it; -1 is none, for vLLM and llama.cpp."""
    seed = fields.whole("seed", least=-(2**63))
    if seed is None or seed == -1:
        return None
    return seed if seed >= 0 else seed + 2**64


def _sampling(fields: Fields) -> SamplingConfig:
    """The runtime's own defaults where nothing is said, but that a repetition penalty looks at the whole text, as
    services do. Raises OptionError, RefusalError."""
    given: dict[str, Any] = {name: fields.number(name) for name in _NUMBERS if name in fields}
    if given.get("top_p") == 0:  # with which OpenAI's range begins: the likeliest token alone
        given["top_p"] = sys.float_info.min
    if "top_k" in fields:  # -1 keeps all, for vLLM
        given["top_k"] = max(fields.whole("top_k", least=-1) or 0, 0)
    if "logit_bias" in fields:
        given["logit_bias"] = _biases(fields)
    return SamplingConfig(**given, seed=_seed(fields), repetition_window=0)


def _biases(fields: Fields) -> dict[int, Any]:
    biases: Mapping[str, Any] = fields.object("logit_bias") or {}
    if not all(token.isascii() and token.isdigit() and len(token) < _LONGEST_ID for token in biases):
        raise fields.wrong("logit_bias", 'token ids and numbers, such as {"193": -100}')
    return {int(token): bias for token, bias in biases.items()}


def _count(fields: Fields, prompts: int, most: int) -> int:
    count = fields.whole("n", least=1) or 1
    if count * prompts > most:
        what = "n" if prompts == 1 else "n times the number of prompts"
        sentence = f"{what} must be at most {most}, the answers that this server writes at once, not {count * prompts}."
        raise RefusalError(sentence, param="n" if count > 1 else "prompt", code="invalid_value")
    best = fields.whole("best_of", least=1)
    if best is not None and best != count:
        raise RefusalError("best_of cannot be followed: every answer is given; set it to n.", param="best_of")
    return count


def _check_continued(fields: Fields, *, goes_on: bool) -> None:
    """transformers' pair of fields, of which one is to say the opposite of the other."""
    if "add_generation_prompt" in fields and fields.flag("add_generation_prompt") is goes_on:
        raise RefusalError(
            "add_generation_prompt must be true, or false where continue_final_message is true; leave it out.",
            param="add_generation_prompt",
            code="invalid_value",
        )
