"""Golden values of the parts of cross-attention models: Llama 3.2 Vision's tower.

`python tools/golden/cross_attention_parts.py` writes `packages/*/src/__fixtures__/`; the form is that of parts.py.
"""

import torch
from transformers import MllamaVisionConfig, MllamaVisionModel

from capture import capture_before
from common import randomize, seed_everything
from parts import header, write


def mllama_vision():
    """Two samples: one picture of two tiles and a missing one; one of three tiles and one of four."""
    config = MllamaVisionConfig(
        hidden_size=12,
        intermediate_size=19,
        num_hidden_layers=4,
        num_global_layers=2,
        attention_heads=3,
        image_size=8,
        patch_size=4,
        vision_output_dim=36,
        intermediate_layers_indices=[1, 3],
        max_num_tiles=4,
        norm_eps=3e-5,
    )
    config._attn_implementation = "eager"
    model = randomize(MllamaVisionModel(config).eval(), 11)
    ids = torch.tensor([[2, 0], [7, 6]])
    mask = torch.tensor([[[1, 1, 0, 0], [1, 0, 0, 0]], [[1, 1, 1, 0], [1, 1, 1, 1]]])
    pixels = torch.randn(2, 2, 4, 3, 8, 8) * mask[..., None, None, None]
    inputs = {"pixel_values": pixels, "aspect_ratio_ids": ids, "aspect_ratio_mask": mask}
    with torch.no_grad():
        after = model(**inputs).last_hidden_state
        with capture_before():
            before = model(**inputs).last_hidden_state
    assert (after - before).abs().max() > 0.1
    outputs = {"before": before.reshape(-1, 36), "after": after.reshape(-1, 36)}
    write("encoder-mllama", "mllama.safetensors", model, inputs, outputs)
    header("encoder-mllama", "llama-3.2-vision.header.json", lambda: MllamaVisionModel(MllamaVisionConfig(image_size=560)))


if __name__ == "__main__":
    for make in (mllama_vision,):
        seed_everything(0)
        make()
