"""Sampling: the next token from the model's scores. V vocabulary, C candidates: the tokens that are still in the race.

What is done to the scores, from top to bottom, by `SamplingConfig.order`:

| `transformers` (default) | `llama.cpp` | field |
|---|---|---|
| allowed tokens | allowed tokens | the argument `allowed` |
| bias | bias | `logit_bias` |
| repetition penalty | repetition penalty | `repetition_penalty` over the last `repetition_window` tokens |
| frequency, presence | frequency, presence | `frequency_penalty`, `presence_penalty` over generated tokens |
| **temperature** | top-k | `temperature`, `top_k` |
| top-k | typical | `top_k`, `typical_p` |
| top-p | top-p | `top_p` |
| min-p | min-p | `min_p` |
| typical | **temperature** | `typical_p`, `temperature` |

Each filter sees what those above it left, as a distribution of its own. At temperature 0 filters have no say: the
likeliest token, after bias and penalties, is taken in both orders. Reasons: docs/decisions/014-sampling-orders.md.
"""

from __future__ import annotations

from runtime.sampling.choice import distribution, sample
from runtime.sampling.config import LogitBias, Order, SamplingConfig
from runtime.sampling.logprobs import TokenLogprobs, log_probabilities

__all__ = ["LogitBias", "Order", "SamplingConfig", "TokenLogprobs", "distribution", "log_probabilities", "sample"]
