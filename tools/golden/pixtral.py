"""Writes a tiny Pixtral folder with its golden file, in the layout of transformers or in Mistral's own. See README.md."""

import argparse
import json
import random
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import LlavaConfig, LlavaForConditionalGeneration
from transformers.models.pixtral import image_processing_pil_pixtral

# The processor asks this module, which needs torchvision, for a function that its Pillow twin has too.
sys.modules["transformers.models.pixtral.image_processing_pixtral"] = image_processing_pil_pixtral
from transformers.models.pixtral.processing_pixtral import PixtralProcessor  # noqa: E402

from common import (  # noqa: E402
    Sample,
    build,
    edit_json,
    legacy_rope,
    picture,
    positions_of,
    rename_weights,
    save_checkpoint,
    split_processor_config,
    text_config,
    through_png,
    tiny_tokenizer,
    write_tensors,
)
from llava import memory_name  # noqa: E402

VARIANTS = ["two", "one", "layers", "hub-names", "memory-names", "bf16", "sharded", "native", "batch-left", "batch-right"]

TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ '[INST]' }}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '[IMG]' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '[/INST]' }}"
    "{% else %}{% for part in message['content'] %}{{ part['text'] }}{% endfor %}{{ '</s>' }}{% endif %}{% endfor %}"
)
SPECIALS = ["<s>", "</s>", "[INST]", "[/INST]", "[IMG]", "<pad>", "[IMG_BREAK]", "[IMG_END]"]
SIZES = [(29, 21), (13, 34), (24, 24), (15, 11), (71, 27)]
"""Width and height; the last one is shrunk."""


def vision_config(draw, patch_size, longest, native):
    heads, head_dim = draw.choice([(3, 8), (2, 12), (1, 16)])
    config = {
        "model_type": "pixtral",
        "hidden_size": heads * head_dim,
        "intermediate_size": draw.choice([29, 37]),
        "num_hidden_layers": 2,
        "num_attention_heads": heads,
        "image_size": longest,
        "patch_size": patch_size,
        "hidden_act": "silu" if native else draw.choice(["silu", "silu", "gelu"]),
        "rope_parameters": {"rope_type": "axial", "rope_theta": draw.choice([300.0, 10000.0])},
    }
    # Rows take the frequencies with even numbers, columns the others: there must be as many.
    assert head_dim % 4 == 0
    return config


def question(processor, *content):
    parts = [{"type": "image"} if part == "image" else {"type": "text", "text": part} for part in content]
    return processor.tokenizer.apply_chat_template([{"role": "user", "content": parts}], tokenize=False)


def published(value):
    """The config as published: the text model's rope in the old spelling, the tower's without a section."""
    legacy_rope(value["text_config"])
    vision = value["vision_config"]
    vision["rope_theta"] = vision.pop("rope_parameters")["rope_theta"]


def interleaved(weight, heads):
    """Rows of a query or key matrix with the two channels that turn together side by side, as Mistral's files have them."""
    out, size = weight.shape
    return weight.reshape(heads, 2, out // heads // 2, size).transpose(1, 2).reshape(out, size)


def to_native(folder, config):
    """Turns a folder of transformers into Mistral's layout: `params.json` and `consolidated.safetensors`."""
    text, vision = config.text_config, config.vision_config
    names = {
        "vision_tower.": "vision_encoder.",
        "multi_modal_projector.linear_1": "vision_language_adapter.w_in",
        "multi_modal_projector.linear_2": "vision_language_adapter.w_out",
        "language_model.model.embed_tokens": "tok_embeddings",
        "language_model.model.norm": "norm",
        "language_model.lm_head": "output",
        "language_model.model.layers": "layers",
        "mlp.": "feed_forward.",
        "gate_proj": "w1",
        "down_proj": "w2",
        "up_proj": "w3",
        "self_attn.": "attention.",
        "input_layernorm": "attention_norm",
        "post_attention_layernorm": "ffn_norm",
        "q_proj": "wq",
        "k_proj": "wk",
        "v_proj": "wv",
        "o_proj": "wo",
    }
    tensors = {}
    for name, tensor in load_file(folder / "model.safetensors").items():
        is_vision = name.startswith("vision_tower.")
        if "q_proj" in name:
            tensor = interleaved(tensor, (vision if is_vision else text).num_attention_heads)
        elif "k_proj" in name:
            tensor = interleaved(tensor, vision.num_attention_heads if is_vision else text.num_key_value_heads)
        for old, new in names.items():
            name = name.replace(old, new)
        tensors[name] = tensor.contiguous()
    write_tensors(tensors, folder / "consolidated.safetensors")
    params = {
        "dim": text.hidden_size,
        "n_layers": text.num_hidden_layers,
        "head_dim": text.head_dim,
        "hidden_dim": text.intermediate_size,
        "n_heads": text.num_attention_heads,
        "n_kv_heads": text.num_key_value_heads,
        "rope_theta": text.rope_parameters["rope_theta"],
        "norm_eps": text.rms_norm_eps,
        "vocab_size": text.vocab_size,
        "vision_encoder": {
            "hidden_size": vision.hidden_size,
            "num_channels": 3,
            "image_size": vision.image_size,
            "patch_size": vision.patch_size,
            "rope_theta": vision.rope_parameters["rope_theta"],
            "intermediate_size": vision.intermediate_size,
            "num_hidden_layers": vision.num_hidden_layers,
            "num_attention_heads": vision.num_attention_heads,
            "image_token_id": config.image_token_id,
        },
    }
    (folder / "params.json").write_text(json.dumps(params, indent=4) + "\n")
    for name in ("config.json", "generation_config.json", "model.safetensors", "processor_config.json"):
        (folder / name).unlink()


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--variant", choices=VARIANTS, default="two")
    parser.add_argument("--patch", type=int, choices=[4, 5, 16], default=4, help="side of a patch")
    arguments = parser.parse_args(arguments)
    seed, variant, out, size = arguments.seed, arguments.variant, arguments.out, arguments.patch

    draw = random.Random(seed * 104729 + 17)
    vocab_size = 313 + seed % 13
    tokenizer = tiny_tokenizer("llama3", SPECIALS, vocab_size, bos="<s>", eos="</s>", pad="<pad>", extra={"image_token": "[IMG]"})
    tokenizer.chat_template = TEMPLATE
    native = variant == "native"
    longest = 9 * size + (0 if native else 2)
    vision = vision_config(draw, size, longest, native)
    text = text_config(
        seed,
        vocab_size + 6,
        "mistral",
        sliding_window=None,
        rope_parameters={"rope_type": "default", "rope_theta": draw.choice([1e6, 1e9])},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    image_processor = image_processing_pil_pixtral.PixtralImageProcessorPil(
        size={"longest_edge": longest}, patch_size={"height": size, "width": size}
    )
    processor = PixtralProcessor(image_processor=image_processor, tokenizer=tokenizer, patch_size=size, chat_template=TEMPLATE)
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=processor.image_token_id,
        image_seq_length=1,
        vision_feature_layer=[1, -1] if variant == "layers" else -1,
        vision_feature_select_strategy="full",
        projector_hidden_act="gelu",
    )

    shapes = [(round(width * size / 4), round(height * size / 4)) for width, height in draw.sample(SIZES, 3)]
    pictures = through_png([picture(seed * 10 + index, *shape) for index, shape in enumerate(shapes)])
    if variant.startswith("batch"):
        prompts = [question(processor, "image", "A star?"), question(processor, "image", "What is ", "image", "it?")]
        tokenizer.padding_side = "left" if variant == "batch-left" else "right"
        inputs = dict(processor(text=prompts, images=[pictures[:1], pictures[1:]], padding=True, return_tensors="pt"))
        tokenizer.padding_side = "left"
        if variant == "batch-left":
            inputs["position_ids"] = positions_of(inputs["attention_mask"])
        sample = Sample(inputs, continues=variant == "batch-left")
    else:
        images = pictures[: 1 if variant == "one" else 2]
        parts = ["image", "What color is the star?"] if variant == "one" else ["Look: ", "image", "What color is ", "image", "the star?"]
        prompt = question(processor, *parts)
        sample = Sample(dict(processor(text=prompt, images=images, return_tensors="pt")), prompt, images)
    names = ("input_ids", "attention_mask", "position_ids", "pixel_values", "image_sizes")
    sample.inputs = {name: torch.as_tensor(sample.inputs[name]) for name in names if name in sample.inputs}

    def save(model):
        save_checkpoint(model, processor, out, is_sharded=variant == "sharded")
        if variant == "hub-names":
            edit_json(out / "config.json", published)
            split_processor_config(out)
        if variant == "memory-names":
            rename_weights(out, memory_name)

    line = build(
        out,
        LlavaForConditionalGeneration,
        config,
        sample,
        seed,
        f"pixtral.py --variant {variant} --patch {size}",
        save=save,
        avoid={tokenizer.eos_token_id, tokenizer.pad_token_id, *processor.image_token_ids},
        dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
        note="The answers are those of the same weights in the layout of transformers." if native else "",
    )
    if native:
        to_native(out, config)
        (out / "consolidated.safetensors").chmod(0o644)
    print(line)


if __name__ == "__main__":
    main()
