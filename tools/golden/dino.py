"""Golden values of DINOv2, without and with registers: `python tools/golden/dino.py` writes the fixtures of encoder-dino.

The form is that of parts.py. Names of tensors are those of the published checkpoints, which transformers 5 turns into others
when it loads, and back when it saves. `defaults.json` holds the defaults of both configuration classes.
"""

import json

import torch
from transformers import Dinov2Config, Dinov2Model, Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from common import randomize, seed_everything
from parts import fixture, header, shapes_of, write, written

PACKAGE = "encoder-dino"
TINY = dict(hidden_size=10, num_hidden_layers=3, num_attention_heads=2, image_size=27, patch_size=5, layer_norm_eps=3e-5)


def golden(name, model, seed):
    """States of pictures of the size that the position table is for; last states of a smaller and of a larger one.

    Of each the class token and the patches; registers are left out.
    """
    randomize(model.eval(), seed)
    registers = getattr(model.config, "num_register_tokens", 0)
    kept = lambda states: torch.cat([states[:, :1], states[:, 1 + registers :]], dim=1)
    inputs, outputs = {}, {}
    for name_of_size, side in {"same": 27, "smaller": 19, "larger": 38}.items():
        pixels = torch.randn(2 if name_of_size == "same" else 1, 3, side, side)
        with torch.no_grad():
            result = model(pixels, output_hidden_states=True)
        inputs[f"pixel_values_{name_of_size}"] = pixels
        outputs[f"last_hidden_state_{name_of_size}"] = kept(result.last_hidden_state)
        if name_of_size == "same":
            outputs |= {f"hidden_states.{i}": kept(state) for i, state in enumerate(result.hidden_states)}
    write(PACKAGE, f"{name}.safetensors", model, inputs, outputs)


def defaults():
    fields = ("hidden_size mlp_ratio use_swiglu_ffn num_hidden_layers num_attention_heads num_channels image_size patch_size "
              "hidden_act layer_norm_eps qkv_bias num_register_tokens use_mask_token").split()
    found = {
        config.model_type: {field: getattr(config, field) for field in fields if hasattr(config, field)}
        for config in (Dinov2Config(), Dinov2WithRegistersConfig())
    }
    fixture(PACKAGE, "defaults.json").write_text(json.dumps(found, indent=2) + "\n")


def published():
    """Names and shapes of the smallest without and the largest with registers; the totals of all are printed."""
    sizes = {
        "small": dict(hidden_size=384, num_hidden_layers=12, num_attention_heads=6),
        "base": dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12),
        "large": dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16),
        "giant": dict(hidden_size=1536, num_hidden_layers=40, num_attention_heads=24, use_swiglu_ffn=True),
    }
    kinds = {"v2": (Dinov2Model, Dinov2Config), "v2-with-registers": (Dinov2WithRegistersModel, Dinov2WithRegistersConfig)}
    for kind, (model, config) in kinds.items():
        # Names of both kinds of MLP.
        for gated in (False, True):
            written(model(config(**TINY, use_swiglu_ffn=gated)))
        for size, numbers in sizes.items():
            with torch.device("meta"):
                made = model(config(**numbers, image_size=518, patch_size=14))
            shapes = shapes_of(made)
            print(f"{kind}-{size}", len(shapes), sum(torch.Size(shape).numel() for shape in shapes.values()))
            if (kind, size) in (("v2", "small"), ("v2-with-registers", "giant")):
                header(PACKAGE, f"dino{kind}-{size}.header.json", lambda: made)


if __name__ == "__main__":
    seed_everything(0)
    golden("dino", Dinov2Model(Dinov2Config(**TINY)), 51)
    swiglu = Dinov2Config(**TINY, mlp_ratio=3, use_swiglu_ffn=True, qkv_bias=False, use_mask_token=False)
    golden("dino-swiglu", Dinov2Model(swiglu), 52)
    registers = Dinov2WithRegistersConfig(**TINY, num_register_tokens=3)
    golden("dino-registers", Dinov2WithRegistersModel(registers), 53)
    defaults()
    published()
