"""Golden values of the parts of Aria: SigLIP for pictures of any shape, the projector, the decoder; and of Baichuan-Omni's
connector, written here from its report.

`python tools/golden/aria_baichuan_parts.py` writes `packages/*/src/__fixtures__/`; the form is that of parts.py.
"""

import torch
from torch import nn
from transformers import AriaConfig, AriaTextConfig, AriaTextForCausalLM
from transformers.models.aria.modeling_aria import AriaProjector
from transformers.models.idefics3.modeling_idefics3 import Idefics3VisionConfig, Idefics3VisionTransformer

from common import randomize, seed_everything
from cross_attention_parts import randomize_plain, without_config
from free_resolution_parts import part
from parts import write


def single_experts(state):
    """The state with every expert apart, under the names of the published checkpoints."""
    stored = {}
    for key, value in state.items():
        for name, own in (("gate_up_proj", "fc1"), ("down_proj", "fc2")):
            if key.endswith(f"experts.{name}"):
                stored |= {f"{key.removesuffix(f'.{name}')}.{i}.{own}.weight": expert for i, expert in enumerate(value)}
                break
        else:
            stored[key] = value
    return stored


def siglip_any_shape():
    """Two tiles: one that is not full, whose last row and column are partly so, and one that is."""
    config = Idefics3VisionConfig(
        hidden_size=18,
        intermediate_size=23,
        num_hidden_layers=3,
        num_attention_heads=3,
        image_size=35,
        patch_size=5,
        layer_norm_eps=3e-5,
    )
    config._attn_implementation = "eager"
    model = randomize(Idefics3VisionTransformer(config).eval(), 51)
    pixels = torch.randn(2, 3, 20, 20)
    mask = torch.ones(2, 20, 20, dtype=torch.int64)
    mask[0, 13:] = 0
    mask[0, :, 7:] = 0
    seen = torch.tensor([[row < 3 and column < 2 for row in range(4) for column in range(4)], [True] * 16])
    with torch.no_grad():
        result = model(pixels, patch_attention_mask=seen.reshape(2, 4, 4), output_hidden_states=True)
    outputs = {f"hidden_states.{i}": state[seen] for i, state in enumerate(result.hidden_states)}
    write("encoder-siglip", "any-shape.safetensors", model, {"pixel_values": pixels, "pixel_mask": mask}, outputs)


def projector():
    """Three queries of five, of tiles of seven patches."""
    config = AriaConfig(
        vision_config={"model_type": "idefics3_vision", "hidden_size": 6, "num_attention_heads": 2},
        text_config={"model_type": "aria_text", "hidden_size": 5, "num_attention_heads": 1, "head_dim": 4},
        projector_patch_to_query_dict={7: 3, 8: 5},
    )
    model = randomize_plain(AriaProjector(config).eval(), 52)
    features = torch.randn(2, 7, 6)
    with torch.no_grad():
        rows = model(features).reshape(-1, 5)
    write("connector-resampler", "query-pool.safetensors", without_config(model), {"features": features}, {"rows": rows})


def aria_text():
    config = AriaTextConfig(
        hidden_size=20,
        intermediate_size=9,
        num_hidden_layers=2,
        vocab_size=61,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=6,
        moe_num_experts=6,
        moe_topk=3,
        moe_num_shared_experts=3,
        hidden_act="gelu",
        rms_norm_eps=3e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0},
        # The grouped product of PyTorch wants rows of multiples of 16 bytes.
        experts_implementation="eager",
    )
    model = randomize(AriaTextForCausalLM(config).eval(), 53)
    ids = torch.randint(0, config.vocab_size, (1, 11))
    with torch.no_grad():
        states = model.model(ids, use_cache=False).last_hidden_state
        logits = model(ids, use_cache=False).logits
    inputs = {"input_ids": ids, "position_ids": torch.arange(11)[None]}
    stored = part(model, single_experts(model.state_dict()))
    write("backbone-aria", "aria.safetensors", stored, inputs, {"last_hidden_state": states, "logits": logits})


class ConvPool(nn.Module):
    """A convolution over squares of patches, then two linear layers."""

    def __init__(self, size, text_size, kernel):
        super().__init__()
        self.conv = nn.Conv2d(size, size, kernel, stride=kernel)
        self.linear_1, self.linear_2 = nn.Linear(size, text_size), nn.Linear(text_size, text_size)

    def forward(self, features, rows, padding):
        grid = features.unflatten(1, (rows, -1)).permute(0, 3, 1, 2)
        pooled = self.conv(nn.functional.pad(grid, padding)).flatten(2).transpose(1, 2)
        return self.linear_2(nn.functional.gelu(self.linear_1(pooled)))


def conv_pool():
    """Two tiles of 5 x 7 patches, by each way of filling them up."""
    model = randomize_plain(ConvPool(6, 5, 2).eval(), 54)
    features = torch.randn(2, 35, 6)
    fills = {"none": (0, 0, 0, 0), "columns": (0, 1, 0, 0), "both": (0, 1, 0, 1)}
    with torch.no_grad():
        rows = {fill: model(features, 5, padding).reshape(-1, 5) for fill, padding in fills.items()}
    write("connector-conv-pool", "conv-pool.safetensors", without_config(model), {"features": features}, rows)


if __name__ == "__main__":
    for make in (siglip_any_shape, projector, aria_text, conv_pool):
        seed_everything(0)
        make()
