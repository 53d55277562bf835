"""Golden values of the parts of cross-attention models and hybrids: Llama 3.2 Vision's tower, InternViT,
InternVL's projector, Flamingo's resampler.

`python tools/golden/cross_attention_parts.py` writes `packages/*/src/__fixtures__/`; the form is that of parts.py.
"""

from types import SimpleNamespace

import torch
from torch import nn
from transformers import InternVLVisionConfig, InternVLVisionModel, MllamaVisionConfig, MllamaVisionModel

from transformers.models.internvl.modeling_internvl import InternVLConfig, InternVLMultiModalProjector

from mllama_rules import capture_before
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


def intern_vit():
    """The large form, with RMS norms and normed queries and keys, and the small one."""
    common = dict(
        hidden_size=18,
        intermediate_size=25,
        num_hidden_layers=3,
        num_attention_heads=3,
        image_size=[23, 23],
        patch_size=[7, 7],
        layer_norm_eps=3e-5,
    )
    forms = {
        "rms": dict(norm_type="rms_norm", use_qk_norm=True),
        "layer": dict(norm_type="layer_norm", attention_bias=True),
    }
    for name, form in forms.items():
        config = InternVLVisionConfig(**common, **form)
        config._attn_implementation = "eager"
        model = randomize(InternVLVisionModel(config).eval(), 12)
        pixels = torch.randn(2, 3, 23, 23)
        with torch.no_grad():
            result = model(pixels, output_hidden_states=True)
        # The first of its states is the output of the first layer, unless the embedding comes before it.
        states = [model.embeddings(pixels), *result.hidden_states][-4:]
        outputs = {"last_hidden_state": result.last_hidden_state, "hidden_states.1": states[1]}
        write("encoder-intern-vit", f"internvit-{name}.safetensors", model, {"pixel_values": pixels}, outputs)
    published = InternVLVisionConfig(
        hidden_size=3200,
        intermediate_size=12800,
        num_hidden_layers=45,
        num_attention_heads=25,
        norm_type="rms_norm",
        use_qk_norm=True,
    )
    header("encoder-intern-vit", "internvit-6b.header.json", lambda: InternVLVisionModel(published))


def without_config(model):
    """What `write` asks of a model, for one without a config."""
    return SimpleNamespace(config=SimpleNamespace(to_diff_dict=dict), state_dict=model.state_dict)


def randomize_plain(model, seed):
    """`randomize` for a module that is not a model of transformers."""
    model.config, model.tie_weights = SimpleNamespace(), lambda: None
    return randomize(model, seed)


def projector():
    config = InternVLConfig(
        vision_config={"hidden_size": 6, "num_attention_heads": 2, "image_size": [16, 16], "patch_size": [4, 4]},
        text_config={"model_type": "qwen2", "hidden_size": 10, "num_attention_heads": 2, "num_key_value_heads": 2},
    )
    model = randomize_plain(InternVLMultiModalProjector(config).eval(), 13)
    features = torch.randn(2, 16, 6)
    # Blocks of 2 x 2, row by row, each by row, column and channel.
    blocks = features.reshape(2, 2, 2, 2, 2, 6).permute(0, 1, 3, 2, 4, 5).reshape(2, 4, 24)
    with torch.no_grad():
        rows = model(blocks).reshape(-1, 10)
    write("connector-pixel-shuffle", "internvl-projector.safetensors", without_config(model), {"features": features}, {"rows": rows})


class LatentAttention(nn.Module):
    """Latents attend to features and to themselves (Flamingo, appendix A.1)."""

    def __init__(self, size, heads, head_dim):
        super().__init__()
        self.heads, self.scale = heads, head_dim**-0.5
        self.norm_media, self.norm_latents = nn.LayerNorm(size), nn.LayerNorm(size)
        self.to_q = nn.Linear(size, heads * head_dim, bias=False)
        self.to_kv = nn.Linear(size, 2 * heads * head_dim, bias=False)
        self.to_out = nn.Linear(heads * head_dim, size, bias=False)

    def forward(self, features, latents):
        latents = self.norm_latents(latents)
        keys, values = self.to_kv(torch.cat([self.norm_media(features), latents], dim=1)).chunk(2, dim=-1)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(1, 2) for x in (self.to_q(latents), keys, values))
        weights = torch.softmax(q @ k.transpose(-1, -2) * self.scale, dim=-1)
        return self.to_out((weights @ v).transpose(1, 2).flatten(2))


class Resampler(nn.Module):
    """With the names of OpenFlamingo, and a last layer to the width of the text."""

    def __init__(self, size, text_size, latents, depth, heads, head_dim, ratio):
        super().__init__()
        self.latents = nn.Parameter(torch.randn(latents, size))

        def mlp():
            up, down = nn.Linear(size, ratio * size, bias=False), nn.Linear(ratio * size, size, bias=False)
            return nn.Sequential(nn.LayerNorm(size), up, nn.GELU(), down)

        self.layers = nn.ModuleList(nn.ModuleList([LatentAttention(size, heads, head_dim), mlp()]) for _ in range(depth))
        self.norm = nn.LayerNorm(size)
        self.proj = nn.Linear(size, text_size, bias=False)

    def forward(self, features):
        latents = self.latents.expand(len(features), -1, -1)
        for attention, mlp in self.layers:
            latents = latents + attention(features, latents)
            latents = latents + mlp(latents)
        return self.proj(self.norm(latents))


def resampler():
    model = randomize_plain(Resampler(6, 5, 3, 2, 2, 4, 2).eval(), 14)
    features = torch.randn(2, 7, 6)
    with torch.no_grad():
        rows = model(features).reshape(-1, 5)
    write("connector-resampler", "resampler.safetensors", without_config(model), {"features": features}, {"rows": rows})


if __name__ == "__main__":
    for make in (mllama_vision, intern_vit, projector, resampler):
        seed_everything(0)
        make()
