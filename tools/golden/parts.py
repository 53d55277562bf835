"""Golden values of single parts: `python tools/golden/parts.py` writes `packages/*/src/__fixtures__/`.

Each `*.safetensors` holds `weights.*`, `inputs.*` and `outputs.*` of a tiny randomised model of transformers, and its
config as metadata. Each `*.header.json` holds the names and shapes of a published size, made without weights.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    SiglipVisionConfig,
    SiglipVisionModel,
    __version__,
)

from common import randomize, seed_everything

PACKAGES = Path(__file__).resolve().parents[2] / "packages"
LIMIT = 100_000


def fixture(package, name):
    folder = PACKAGES / package / "src" / "__fixtures__"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def write(package, name, model, inputs, outputs):
    tensors = {
        **{f"weights.{key}": value for key, value in weights_of(model).items()},
        **{f"inputs.{key}": value for key, value in inputs.items()},
        **{f"outputs.{key}": value.float() for key, value in outputs.items()},
    }
    path = fixture(package, name)
    metadata = {
        "format": "pt",
        "made_by": f"tools/golden/parts.py with transformers {__version__}, torch {torch.__version__}",
        "config": json.dumps(model.config.to_diff_dict(), sort_keys=True),
    }
    save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()}, path, metadata)
    size = path.stat().st_size
    print(path.relative_to(PACKAGES), size, {key: round(float(value.std()), 3) for key, value in outputs.items()})
    if size > LIMIT:
        raise ValueError(f"{path} has {size} bytes, more than {LIMIT}.")


def weights_of(model):
    """The state as a checkpoint stores it: a tied head is left out."""
    tied = bool(getattr(model.config, "tie_word_embeddings", False))
    return {key: value for key, value in model.state_dict().items() if not (tied and key == "lm_head.weight")}


def header(package, name, make):
    with torch.device("meta"):
        model = make()
    shapes = {key: list(value.shape) for key, value in sorted(weights_of(model).items())}
    lines = ",\n".join(f"  {json.dumps(key)}: {json.dumps(shape)}" for key, shape in shapes.items())
    fixture(package, name).write_text("{\n" + lines + "\n}\n")
    print(package, name, len(shapes), sum(torch.Size(shape).numel() for shape in shapes.values()))


def clip():
    for act in ("quick_gelu", "gelu"):
        config = CLIPVisionConfig(
            hidden_size=18,
            intermediate_size=27,
            num_hidden_layers=3,
            num_attention_heads=3,
            image_size=23,
            patch_size=7,
            hidden_act=act,
            layer_norm_eps=3e-5,
        )
        model = randomize(CLIPVisionModel(config).eval(), 1)
        pixels = torch.randn(2, 3, 23, 23)
        with torch.no_grad():
            result = model(pixels, output_hidden_states=True)
        states = {f"hidden_states.{i}": state for i, state in enumerate(result.hidden_states)}
        write("encoder-clip", f"clip-{act.replace('_', '-')}.safetensors", model, {"pixel_values": pixels}, states)
    published = CLIPVisionConfig(
        hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, image_size=336, patch_size=14
    )
    header("encoder-clip", "clip-large-patch14-336.header.json", lambda: CLIPVisionModel(published))


def siglip():
    config = SiglipVisionConfig(
        hidden_size=18,
        intermediate_size=29,
        num_hidden_layers=3,
        num_attention_heads=3,
        image_size=23,
        patch_size=7,
        layer_norm_eps=3e-5,
    )
    model = randomize(SiglipVisionModel(config).eval(), 2)
    pixels = torch.randn(2, 3, 23, 23)
    with torch.no_grad():
        result = model(pixels, output_hidden_states=True)
    states = {f"hidden_states.{i}": state for i, state in enumerate(result.hidden_states)}
    outputs = {**states, "last_hidden_state": result.last_hidden_state, "pooler_output": result.pooler_output}
    write("encoder-siglip", "siglip.safetensors", model, {"pixel_values": pixels}, outputs)
    published = SiglipVisionConfig(
        hidden_size=1152,
        intermediate_size=4304,
        num_hidden_layers=27,
        num_attention_heads=16,
        image_size=384,
        patch_size=14,
    )
    header("encoder-siglip", "siglip-so400m-patch14-384.header.json", lambda: SiglipVisionModel(published))


def decoder(package, name, model, seed, length):
    """The final states and logits of one row of random tokens."""
    model = randomize(model.eval(), seed)
    ids = torch.randint(0, model.config.vocab_size, (1, length))
    with torch.no_grad():
        states = model.model(ids, use_cache=False).last_hidden_state
        logits = model(ids, use_cache=False).logits
    inputs = {"input_ids": ids, "position_ids": torch.arange(length)[None]}
    write(package, name, model, inputs, {"last_hidden_state": states, "logits": logits})


def llama():
    common = dict(hidden_size=20, intermediate_size=27, num_hidden_layers=2, vocab_size=61)
    scaling = {
        "rope_type": "llama3",
        "rope_theta": 5000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    heads = dict(num_attention_heads=4, num_key_value_heads=2)
    plain = LlamaConfig(**common, num_attention_heads=5, num_key_value_heads=1, rms_norm_eps=3e-5)
    decoder("backbone-llama", "llama.safetensors", LlamaForCausalLM(plain), 3, 11)
    biased = LlamaConfig(
        **common, **heads, head_dim=10, attention_bias=True, mlp_bias=True, tie_word_embeddings=True, rope_parameters=scaling
    )
    decoder("backbone-llama", "llama3-scaled.safetensors", LlamaForCausalLM(biased), 4, 40)
    linear = LlamaConfig(**common, **heads, head_dim=6, rope_parameters={"rope_type": "linear", "rope_theta": 300.0, "factor": 2.5})
    decoder("backbone-llama", "llama-linear.safetensors", LlamaForCausalLM(linear), 5, 11)
    window = MistralConfig(**common, **heads, head_dim=8, sliding_window=4)
    # The eager path, because the fused one of PyTorch ignores windows on some versions.
    window._attn_implementation = "eager"
    decoder("backbone-llama", "mistral-window.safetensors", MistralForCausalLM(window), 6, 13)
    published = LlamaConfig(
        hidden_size=4096,
        intermediate_size=14336,
        num_hidden_layers=32,
        num_attention_heads=32,
        num_key_value_heads=8,
        vocab_size=128256,
    )
    header("backbone-llama", "llama-3.1-8b.header.json", lambda: LlamaForCausalLM(published))


def qwen2():
    common = dict(hidden_size=20, intermediate_size=27, num_hidden_layers=2, vocab_size=61, num_attention_heads=5)
    tied = Qwen2Config(**common, num_key_value_heads=1, tie_word_embeddings=True)
    decoder("backbone-qwen2", "qwen2.safetensors", Qwen2ForCausalLM(tied), 7, 11)
    untied = Qwen2Config(**common, num_key_value_heads=5, rms_norm_eps=3e-5, rope_parameters={"rope_type": "default", "rope_theta": 1e6})
    decoder("backbone-qwen2", "qwen2-untied.safetensors", Qwen2ForCausalLM(untied), 8, 11)
    published = Qwen2Config(
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        vocab_size=151936,
        tie_word_embeddings=True,
    )
    header("backbone-qwen2", "qwen2-0.5b.header.json", lambda: Qwen2ForCausalLM(published))


if __name__ == "__main__":
    for make in (clip, siglip, llama, qwen2):
        seed_everything(0)
        make()
