"""Golden values of single parts: `python tools/golden/parts.py` writes `packages/*/src/__fixtures__/`, or those of the
families that are named.

Each `*.safetensors` holds `weights.*`, `inputs.*` and `outputs.*` of a tiny randomised model of transformers, and its config
as metadata. Each `*.header.json` holds the names and shapes of a published size, made without weights. Names of weights are
those of the files that `save_pretrained` writes.
"""

import json
import re
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Olmo2Config,
    Olmo2ForCausalLM,
    OlmoConfig,
    OlmoeConfig,
    OlmoeForCausalLM,
    OlmoForCausalLM,
    PersimmonConfig,
    PersimmonForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedModel,
    Qwen2Config,
    Qwen2ForCausalLM,
    SiglipVisionConfig,
    SiglipVisionModel,
    __version__,
)
from transformers.core_model_loading import revert_weight_conversion
from transformers.modeling_utils import remove_tied_weights_from_state_dict

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


# Patterns of the names that `save_pretrained` has written in this run, by the class of the model.
WRITTEN = {}


def pattern(name):
    return re.sub(r"\d+", "N", name)


def written(model):
    """Tensors of the files that `save_pretrained` writes: their names are those of published checkpoints.

    They need not be those of `state_dict()`: transformers 5 turns the names of some models into others when it loads, fuses
    tensors, and turns them back when it saves.
    """
    # Saving notes more in the configuration.
    noted = {key: getattr(model.config, key, None) for key in ("dtype", "architectures")}
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        stored = {key: value for file in sorted(Path(folder).glob("*.safetensors")) for key, value in load_file(file).items()}
    for key, value in noted.items():
        setattr(model.config, key, value)
    WRITTEN.setdefault(type(model), set()).update(map(pattern, stored))
    return stored


def weights_of(model):
    """The weights as a checkpoint stores them. What is no model of transformers has the names that it was given."""
    return written(model) if isinstance(model, PreTrainedModel) else dict(model.state_dict())


def shapes_of(model):
    """Names and shapes as a checkpoint stores them, of a model without weights, which `save_pretrained` cannot write.

    The names come from the function that it uses itself, and must be among those that it wrote of a small model of the class.
    """
    stored = model.state_dict()
    if isinstance(model, PreTrainedModel):
        stored = revert_weight_conversion(model, remove_tied_weights_from_state_dict(stored, model))
        unknown = sorted(set(map(pattern, stored)) - WRITTEN.get(type(model), set()))
        if unknown:
            raise ValueError(f"{type(model).__name__}: nothing was written with the names {unknown}; write a small model first.")
    return {key: list(value.shape) for key, value in sorted(stored.items())}


def header(package, name, make):
    with torch.device("meta"):
        model = make()
    shapes = shapes_of(model)
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
    window = Qwen2Config(
        **common | {"num_hidden_layers": 3},
        num_key_value_heads=5,
        use_sliding_window=True,
        sliding_window=4,
        max_window_layers=1,
        attn_implementation="eager",
    )
    decoder("backbone-qwen2", "qwen2-window.safetensors", Qwen2ForCausalLM(window), 9, 13)
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


def rope(theta, **more):
    return {"rope_type": "default", "rope_theta": theta, **more}


def olmo():
    common = dict(hidden_size=20, intermediate_size=27, num_hidden_layers=2, vocab_size=61)
    clipped = OlmoConfig(**common, num_attention_heads=5, num_key_value_heads=1, clip_qkv=0.8, rope_parameters=rope(5000.0))
    decoder("backbone-olmo", "olmo.safetensors", OlmoForCausalLM(clipped), 21, 11)
    after = Olmo2Config(
        **common, num_attention_heads=4, num_key_value_heads=2, head_dim=6, rms_norm_eps=3e-5, rope_parameters=rope(300.0)
    )
    decoder("backbone-olmo", "olmo2.safetensors", Olmo2ForCausalLM(after), 22, 11)
    for name, normed, seed in (("olmoe", False, 23), ("olmoe-normed", True, 24)):
        experts = OlmoeConfig(
            **common | {"intermediate_size": 9},
            num_attention_heads=5,
            num_key_value_heads=5,
            num_experts=6,
            num_experts_per_tok=3,
            norm_topk_prob=normed,
            clip_qkv=1.5 if normed else None,
            rms_norm_eps=3e-5,
            rope_parameters=rope(1000.0),
            # The grouped product of PyTorch wants rows of multiples of 16 bytes.
            experts_implementation="eager",
        )
        decoder("backbone-olmo", f"{name}.safetensors", OlmoeForCausalLM(experts), seed, 11)
    header("backbone-olmo", "olmo-2-7b.header.json", lambda: Olmo2ForCausalLM(Olmo2Config(vocab_size=100352)))


def persimmon():
    common = dict(hidden_size=40, intermediate_size=23, num_hidden_layers=2, num_attention_heads=4, vocab_size=47)
    normed = PersimmonConfig(**common, layer_norm_eps=3e-5, rope_parameters=rope(25000.0, partial_rotary_factor=0.6))
    decoder("backbone-persimmon", "persimmon.safetensors", PersimmonForCausalLM(normed), 31, 11)
    plain = PersimmonConfig(**common, qk_layernorm=False, tie_word_embeddings=True, rope_parameters=rope(500.0, partial_rotary_factor=0.4))
    decoder("backbone-persimmon", "persimmon-plain.safetensors", PersimmonForCausalLM(plain), 32, 11)
    header("backbone-persimmon", "persimmon-8b.header.json", lambda: PersimmonForCausalLM(PersimmonConfig()))


def phi():
    common = dict(hidden_size=40, intermediate_size=23, num_hidden_layers=2, num_attention_heads=4, vocab_size=47)
    grouped = PhiConfig(**common, num_key_value_heads=2, layer_norm_eps=3e-5, rope_parameters=rope(3000.0, partial_rotary_factor=0.4))
    decoder("backbone-phi", "phi.safetensors", PhiForCausalLM(grouped), 41, 11)
    normed = PhiConfig(**common, qk_layernorm=True, rope_parameters=rope(3000.0, partial_rotary_factor=0.6))
    decoder("backbone-phi", "phi-normed.safetensors", PhiForCausalLM(normed), 42, 11)
    special = {"pad_token_id": 0}
    window = Phi3Config(
        **common, **special, num_key_value_heads=2, rms_norm_eps=3e-5, sliding_window=4, attn_implementation="eager", rope_parameters=rope(700.0, partial_rotary_factor=1.0)
    )
    decoder("backbone-phi", "phi3.safetensors", Phi3ForCausalLM(window), 43, 13)
    partial = Phi3Config(
        **common, **special, num_key_value_heads=1, tie_word_embeddings=True, rope_parameters=rope(700.0, partial_rotary_factor=0.6)
    )
    decoder("backbone-phi", "phi3-partial.safetensors", Phi3ForCausalLM(partial), 44, 11)
    published = PhiConfig(hidden_size=2560, intermediate_size=10240, num_hidden_layers=32)
    header("backbone-phi", "phi-2.header.json", lambda: PhiForCausalLM(published))
    header("backbone-phi", "phi-3-mini-4k.header.json", lambda: Phi3ForCausalLM(Phi3Config()))


FAMILIES = {make.__name__: make for make in (clip, siglip, llama, qwen2, olmo, persimmon, phi)}

if __name__ == "__main__":
    for family in sys.argv[1:] or FAMILIES:
        seed_everything(0)
        FAMILIES[family]()
