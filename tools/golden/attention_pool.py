"""Golden values of Molmo's connector: `python tools/golden/attention_pool.py` writes the fixtures of
packages/connector-attention-pool; the form is that of parts.py.
"""

import torch
from torch import nn

from common import randomize, seed_everything
from cross_attention_parts import without_config
from molmo import VisionBackbone
from parts import write


def attention_pool(name, side, heads, size, inner, out, seed):
    """`side` patches a row. Masks have borders, half borders, and the -1 of the last crop."""
    vision = {
        "image_default_input_size": [side, side], "image_patch_size": 1, "image_emb_dim": size, "image_num_heads": heads,
        "image_num_layers": 0, "image_mlp_dim": 1, "image_num_pos": 1, "image_norm_eps": 1e-5,
    }
    model = VisionBackbone(vision, [-2, -4], inner, out).eval()
    model.image_vit = nn.Identity()
    model.config, model.tie_weights = type("Config", (), {}), lambda: None
    randomize(model, seed)
    features = torch.randn(3, side * side, 2 * size)
    masks = torch.randint(0, 3, (3, side * side)) / 2
    masks[-1] = -1
    with torch.no_grad():
        rows = model.connect(features, masks).reshape(-1, out)
        assert (rows - model.connect(features, torch.ones_like(masks)).reshape(-1, out)).abs().max() > 0.1
    write("connector-attention-pool", f"{name}.safetensors", without_config(model), {"features": features, "image_masks": masks}, {"rows": rows})


if __name__ == "__main__":
    seed_everything(0)
    attention_pool("even", 4, 2, 6, 7, 10, 21)
    attention_pool("odd", 5, 3, 9, 5, 8, 22)
