"""Frequencies, factors and refusals of transformers for thousands of random rope sections: `python rope.py`.

The cases are drawn by a generator that `packages/models/test/rope-cases.ts` has too, so that the file holds results
only, three little-endian float64 for each case: whether the reference refuses it, the factor on cosines and sines, and
of the frequencies at a length a sum of logarithms with weights, in which the smallest count as much as the largest.
"""

import logging
import math
from pathlib import Path

import torch
from transformers import (
    AriaTextConfig,
    LlamaConfig,
    MistralConfig,
    Olmo2Config,
    PersimmonConfig,
    Phi3Config,
    PhiConfig,
    Qwen2Config,
)
from transformers.models.aria.modeling_aria import AriaTextRotaryEmbedding
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.models.mistral.modeling_mistral import MistralRotaryEmbedding
from transformers.models.olmo2.modeling_olmo2 import Olmo2RotaryEmbedding
from transformers.models.persimmon.modeling_persimmon import PersimmonRotaryEmbedding
from transformers.models.phi.modeling_phi import PhiRotaryEmbedding
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

OUT = Path(__file__).resolve().parents[2] / "packages/models/src/__fixtures__/rope-types.f64"
CASES = 4000

FAMILIES = {
    "llama": (LlamaConfig, LlamaRotaryEmbedding),
    "mistral": (MistralConfig, MistralRotaryEmbedding),
    "qwen2": (Qwen2Config, Qwen2RotaryEmbedding),
    "olmo2": (Olmo2Config, Olmo2RotaryEmbedding),
    "aria_text": (AriaTextConfig, AriaTextRotaryEmbedding),
    "phi": (PhiConfig, PhiRotaryEmbedding),
    "persimmon": (PersimmonConfig, PersimmonRotaryEmbedding),
    "phi3": (Phi3Config, Phi3RotaryEmbedding),
}
TYPES = ["default", "linear", "dynamic", "yarn", "longrope", "llama3", "proportional", "su", "mrope", "unheard"]
HEAD_SIZES = [6, 8, 10, 12, 16, 20, 32, 64, 96, 128, 5, 7, 9]
FACTORS = [1.0, 1.5, 2.0, 3.7, 4.0, 8.0, 32.5, 0.5]
LENGTHS = [1, 5, 16, 17, 24, 63, 64, 65, 100, 2048, 2049, 4096, 5000, 40000]


class Draw:
    """Park and Miller's generator."""

    def __init__(self, seed):
        self.state = seed

    def pick(self, count):
        self.state = self.state * 48271 % 2147483647
        return (self.state >> 8) % count

    def of(self, values):
        return values[self.pick(len(values))]

    def sometimes(self, one_in):
        return self.pick(one_in) == 0


def case(index):
    """The text section of a case, and the length of the text."""
    draw = Draw(1000 + 7919 * index)
    for _ in range(3):
        draw.pick(2)
    family = draw.of(list(FAMILIES))
    kind = draw.of(TYPES[:7]) if not draw.sometimes(12) else draw.of(TYPES)
    if family == "phi3" and not draw.sometimes(5):
        kind = draw.of(["default", "longrope", "longrope", "yarn"])
    if family == "phi3" and kind == "su":
        # The class means to read it, but its own check comes first. Weft reads it.
        kind = "yarn"
    heads, size = 1 + draw.pick(5), draw.of(HEAD_SIZES)
    section = {"model_type": family, "num_attention_heads": heads, "hidden_size": heads * size}
    if family in ("llama", "mistral", "qwen2") and draw.sometimes(4):
        section |= {"head_dim": size, "hidden_size": heads * 6}
    rope = {draw.of(["rope_type", "rope_type", "type"]): kind}
    if draw.sometimes(10):
        rope = {}
    theta = draw.of([3.0, 50.0, 500.0, 10000.0, 12345.678, 1e6, 5e6])
    if not draw.sometimes(4):
        (rope if draw.sometimes(2) else section)["rope_theta"] = theta
    if draw.sometimes(3):
        holder = rope if draw.sometimes(2) else section
        holder["partial_rotary_factor"] = draw.of([0.25, 0.4, 0.5, 0.6, 0.75, 1.0])
    if not draw.sometimes(4):
        section["max_position_embeddings"] = draw.of([16, 64, 100, 4096])
    if draw.sometimes(2):
        holder = section if draw.sometimes(3) else rope
        holder["original_max_position_embeddings"] = draw.of([8, 16, 24, 64, 2048])
    if not draw.sometimes(8):
        rope["factor"] = draw.of(FACTORS)
        if draw.sometimes(12):
            rope["factor"] = None
    if draw.sometimes(4):
        rope["attention_factor"] = draw.of([0.8, 1.0, 1.25, None])
    if draw.sometimes(2):
        rope["beta_fast"] = draw.of([4, 6.5, 16, 32, None])
    if draw.sometimes(2):
        rope["beta_slow"] = draw.of([0.5, 1, 2.25, None])
    if draw.sometimes(2):
        rope["mscale"] = draw.of([0.7, 1.0, 1.3, 0])
    if draw.sometimes(2):
        rope["mscale_all_dim"] = draw.of([0.4, 1.0, 0])
    if draw.sometimes(2):
        rope["truncate"] = draw.of([True, False])
    low = draw.of([1.0, 0.5, 2.0])
    if not draw.sometimes(10):
        rope |= {"low_freq_factor": low, "high_freq_factor": low * draw.of([1.5, 4.0, 8.0])}
    turning = size
    if family in ("phi", "persimmon", "phi3"):
        share = rope.get("partial_rotary_factor", section.get("partial_rotary_factor", 1.0 if family == "phi3" else 0.5))
        turning = int(size * share)
    count = turning // 2 + (1 if draw.sometimes(15) else 0)
    rope["short_factor"] = [1 + draw.pick(64) / 64 for _ in range(count)]
    rope["long_factor"] = [1 + draw.pick(512) / 64 for _ in range(count)]
    section["rope_scaling" if draw.sometimes(3) else "rope_parameters"] = rope
    return section, draw.of(LENGTHS)


def answer(section, length):
    """`[refused, factor, sum]`."""
    family = section["model_type"]
    config_class, rope_class = FAMILIES[family]
    fields = {key: value for key, value in section.items() if key != "model_type"}
    rope = fields.get("rope_scaling") or fields["rope_parameters"]
    if family == "phi3" and rope.get("rope_type", rope.get("type", "default")) == "default":
        # This class checks fields that it does not read.
        rope = {key: value for key, value in rope.items() if key not in ("short_factor", "long_factor")}
        fields = {key: value for key, value in fields.items() if key != "rope_scaling"} | {"rope_parameters": rope}
    try:
        config = config_class(**fields)
        rope = rope_class(config)
        rope(torch.zeros(1, 1, 1), torch.tensor([[0, length - 1]]))
        cosines, _ = rope(torch.zeros(1, 1, 1), torch.tensor([[0, length - 1]]))
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        if family in ("phi", "persimmon"):
            turned = int(size * config.rope_parameters["partial_rotary_factor"])
        else:
            turned = cosines.shape[-1] if family == "phi3" and cosines.shape[-1] <= size else size
        # What the attention of the class does with heads of its size.
        head = torch.zeros(1, turned)
        half = head[..., : turned // 2], head[..., turned // 2 :]
        rotated = torch.cat((-half[1], half[0]), dim=-1) * cosines[0]
        channels = int(size * config.rope_parameters.get("partial_rotary_factor", 1.0))
        if rope.rope_type == "longrope" and len(config.rope_parameters["short_factor"]) != (channels + 1) // 2:
            raise ValueError("factors that fit by broadcasting only")
        if rotated.shape[-1] != turned or cosines.shape[-1] != turned or turned == 0:
            raise ValueError("sizes")
    except Exception:
        return [1.0, 0.0, 0.0]
    frequencies = rope.inv_freq.double()
    weights = torch.tensor([(index * 7) % 5 + 1.3 for index in range(len(frequencies))], dtype=torch.float64)
    total = sum(float(w) * (math.log(float(f)) if f > 0 else -9.0) for w, f in zip(weights, frequencies))
    return [0.0, float(rope.attention_scaling), total]


def main():
    logging.disable(logging.WARNING)
    results = [answer(*case(index)) for index in range(CASES)]
    kept = sum(1 for refused, _, _ in results if not refused)
    OUT.write_bytes(torch.tensor(results, dtype=torch.float64).numpy().astype("<f8").tobytes())
    print(f"{CASES} cases, {kept} of them read")


if __name__ == "__main__":
    main()
