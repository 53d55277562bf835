"""Golden values of towers that take pictures of any size, and of their connectors: Qwen2-VL, Qwen2.5-VL, Pixtral.

`python tools/golden/free_resolution_parts.py` writes `packages/*/src/__fixtures__/`; the form is that of parts.py.
"""

from types import SimpleNamespace

import torch
from transformers import PixtralVisionConfig, PixtralVisionModel
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLVisionConfig
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import (
    Qwen2_5_VisionTransformerPretrainedModel as Qwen25VisionTransformer,
)
from transformers.models.qwen2_vl.configuration_qwen2_vl import Qwen2VLVisionConfig
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VisionTransformerPretrainedModel as Qwen2VisionTransformer
from transformers.vision_utils import get_vision_window_index

from common import randomize, seed_everything
from parts import header, write, written


def part(model, weights):
    """What `write` asks of a model, with some of its weights."""
    return SimpleNamespace(config=model.config, state_dict=lambda: weights)


def qwen2_vision():
    """Two pictures and a video of Qwen2-VL and Qwen2.5-VL; features block by block, as they come in."""
    common = dict(num_heads=3, patch_size=3, spatial_merge_size=2, temporal_patch_size=2)
    old = Qwen2VLVisionConfig(**common, depth=2, embed_dim=24, mlp_ratio=2, hidden_size=10)
    # Windows of 2 x 2 blocks, which do not fill the larger grids.
    new = Qwen2_5_VLVisionConfig(
        **common, depth=2, hidden_size=24, intermediate_size=37, window_size=12, fullatt_block_indexes=[1], out_hidden_size=10
    )
    grids = torch.tensor([[1, 6, 10], [1, 2, 4], [3, 4, 6]])
    for name, config, kind in (("qwen2-vl", old, Qwen2VisionTransformer), ("qwen2.5-vl", new, Qwen25VisionTransformer)):
        config._attn_implementation = "eager"
        model = randomize(kind(config).eval(), 9)
        patches = torch.randn(int(grids.prod(-1).sum()), 3 * 2 * 3 * 3)
        with torch.no_grad():
            states = model(patches, grid_thw=grids).last_hidden_state
        if name == "qwen2.5-vl":
            # Its states are in the order of the windows.
            order, _ = get_vision_window_index(grids, 2, config.window_size, config.patch_size)
            states = states.reshape(-1, 4, states.shape[-1])[torch.argsort(order)].reshape(states.shape)
        state = written(model)
        tower = {key: value for key, value in state.items() if not key.startswith("merger.")}
        inputs = {"pixel_values": patches, "image_grid_thw": grids}
        write("encoder-qwen2-vl", f"{name}.safetensors", part(model, tower), inputs, {"last_hidden_state": states})
        merger = {key.removeprefix("merger."): value for key, value in state.items() if key.startswith("merger.")}
        features = torch.randn(1, 12, 24)
        with torch.no_grad():
            embeds = model.merger(features[0])
        write("connector-patch-merger", f"{name}.safetensors", part(model, merger), {"features": features}, {"embeds": embeds})
    for name, config, kind in (
        ("qwen2-vl", Qwen2VLVisionConfig(hidden_size=1536), Qwen2VisionTransformer),
        ("qwen2.5-vl", Qwen2_5_VLVisionConfig(hidden_size=1280, out_hidden_size=2048), Qwen25VisionTransformer),
    ):

        def tower(kind=kind, config=config):
            model = kind(config)
            del model.merger
            return model

        header("encoder-qwen2-vl", f"{name}.header.json", tower)


def pixtral_vision():
    """Two pictures of different size in one padded batch."""
    config = PixtralVisionConfig(
        hidden_size=24,
        intermediate_size=31,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=40,
        patch_size=5,
        hidden_act="silu",
        rope_parameters={"rope_type": "axial", "rope_theta": 300.0},
    )
    config._attn_implementation = "eager"
    model = randomize(PixtralVisionModel(config).eval(), 10)
    sizes = torch.tensor([[15, 25], [30, 10]])
    pixels = torch.randn(2, 3, 30, 25)
    with torch.no_grad():
        result = model(pixels, image_sizes=sizes, output_hidden_states=True)
    outputs = {f"hidden_states.{i}": state[0] for i, state in enumerate(result.hidden_states)}
    write("encoder-pixtral", "pixtral.safetensors", model, {"pixel_values": pixels, "image_sizes": sizes}, outputs)
    header("encoder-pixtral", "pixtral-12b.header.json", lambda: PixtralVisionModel(PixtralVisionConfig(hidden_act="silu")))


if __name__ == "__main__":
    for make in (qwen2_vision, pixtral_vision):
        seed_everything(0)
        make()
