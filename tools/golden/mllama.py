"""Writes a tiny Llama 3.2 Vision folder with its golden file. See README.md."""

import argparse
import json
import random
from contextlib import ExitStack
from pathlib import Path

import torch
from transformers import MllamaConfig, MllamaForConditionalGeneration, MllamaProcessor
from transformers.models.mllama.image_processing_pil_mllama import MllamaImageProcessorPil

from common import (
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
)
from mllama_rules import capture_before, unseen_attention

VARIANTS = ["two-tiles", "apart", "together", "bare", "text-only", "hub", "memory-names", "bf16", "sharded", "batch-right", "batch-left"]

SPECIALS = [
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|finetune_right_pad_id|>",
    "<|python_tag|>",
    "<|image|>",
]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<|image|>' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)

# Width and height in tiles: two and three side by side, four in a square, three on top of each other, one.
SHAPES = [(2.0, 0.8), (2.6, 0.9), (1.7, 1.9), (0.8, 2.9), (0.7, 0.6)]


def vision_config(draw, grid):
    heads, head_dim = draw.choice([(3, 4), (2, 7), (4, 3)])
    patch = draw.choice([5, 6])
    layers = 4
    indices = sorted(draw.sample(range(layers), draw.choice([2, 3])))
    hidden = heads * head_dim
    return {
        "hidden_size": hidden,
        "intermediate_size": draw.choice([22, 26, 30]),
        "num_hidden_layers": layers,
        "num_global_layers": draw.choice([1, 2]),
        "attention_heads": heads,
        "image_size": patch * grid,
        "patch_size": patch,
        "vision_output_dim": hidden * (1 + len(indices)),
        "intermediate_layers_indices": indices,
        "max_num_tiles": 4,
        "norm_eps": draw.choice([1e-5, 3e-5]),
    }


def decoder_config(draw, seed, vocab_size, tokenizer):
    """A Llama 3 whose heads share the hidden size, with cross-attention layers."""
    config = text_config(seed, vocab_size, "llama3")
    heads, kv_heads = draw.choice([(4, 2), (3, 1), (4, 1)])
    config |= {
        "model_type": "mllama_text_model",
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "hidden_size": heads * 8,
        "num_hidden_layers": 5,
        # transformers counts the tokens in the cache of layer 0, which must not be one of them.
        "cross_attention_layers": draw.choice([[1, 3], [1, 4], [2, 4]]),
        "intermediate_size": draw.choice([30, 34, 38]),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    del config["head_dim"]
    return config


def prompt_of(tokenizer, variant):
    """The text of a sample and the number of its pictures."""
    image, text = {"type": "image"}, lambda words: {"type": "text", "text": words}
    if variant == "bare":
        return "<|image|>The star is", 1
    contents = {
        "apart": [text("A. "), image, text("Red? "), image, text("It?")],
        "together": [text("A. "), image, image, text("Red? "), image, text("It?")],
        "text-only": [text("How many circles are there?")],
    }
    content = contents.get(variant, [image, text("A star?")])
    prompt = tokenizer.apply_chat_template([{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True)
    return prompt, sum(part["type"] == "image" for part in content)


def write(out, seed, variant, capture="after", unseen="mlp"):
    draw = random.Random(seed * 104729 + 11)
    # Batches have twice the pictures, so that fewer patches keep the folder small.
    vision = vision_config(draw, 2 if variant.startswith("batch") else 3)
    side = vision["image_size"]
    vocab_size = 281 + seed % 11
    # `<|image|>` has the id after the last one that the head can give.
    tokenizer = tiny_tokenizer(
        "llama3",
        SPECIALS,
        vocab_size + 1,
        bos="<|begin_of_text|>",
        eos="<|eot_id|>",
        pad="<|finetune_right_pad_id|>",
        extra={"image_token": "<|image|>"},
    )
    tokenizer.chat_template = TEMPLATE
    image_id = tokenizer.convert_tokens_to_ids("<|image|>")
    if image_id != vocab_size:
        raise ValueError(f"<|image|> has the id {image_id}, expected {vocab_size}.")
    image_processor = MllamaImageProcessorPil(
        size={"height": side, "width": side},
        max_image_tiles=4,
        image_mean=[0.48145466, 0.4578275, 0.40821073],
        image_std=[0.26862954, 0.26130258, 0.27577711],
    )
    processor = MllamaProcessor(image_processor=image_processor, tokenizer=tokenizer, chat_template=TEMPLATE)
    config = MllamaConfig(
        vision_config=vision,
        text_config=decoder_config(draw, seed, vocab_size, tokenizer),
        image_token_index=image_id,
    )
    config.tie_word_embeddings = False

    shapes = SHAPES[:1] + draw.sample(SHAPES[1:], 2) if variant in ("two-tiles", "hub") else draw.sample(SHAPES, 3)
    pictures = through_png([picture(seed * 10 + i, round(w * side), round(h * side)) for i, (w, h) in enumerate(shapes)])
    if variant.startswith("batch"):
        prompts = [prompt_of(tokenizer, kind)[0] for kind in ("two-tiles", "apart")]
        tokenizer.padding_side = "left" if variant == "batch-left" else "right"
        inputs = dict(processor(text=prompts, images=[pictures[:1], pictures[1:]], padding=True, return_tensors="pt"))
        tokenizer.padding_side = "left"
        if variant == "batch-left":
            inputs["position_ids"] = positions_of(inputs["attention_mask"])
        # A continuation of right-padded rows would start after padding, which no caller wants.
        sample = Sample(inputs, continues=variant == "batch-left")
    else:
        prompt, count = prompt_of(tokenizer, variant)
        images = pictures[:count]
        inputs = dict(processor(text=prompt, images=[images] if images else None, return_tensors="pt"))
        sample = Sample(inputs, prompt, images)
        if images:
            sample.expected["cross_attention_mask"] = inputs["cross_attention_mask"].clone()
    sample.metadata["recipe_options"] = json.dumps({"capture": capture, "unseen": unseen})

    def save(model):
        save_checkpoint(model, processor, out, is_sharded=variant == "sharded")
        if variant == "hub":
            rename_weights(out, hub_name)
            edit_json(out / "config.json", lambda value: legacy_rope(value["text_config"]))
            split_processor_config(out)
        if variant == "memory-names":
            rename_weights(out, memory_name)

    with ExitStack() as rules:
        if capture == "before":
            rules.enter_context(capture_before())
        if unseen == "attention-and-mlp":
            rules.enter_context(unseen_attention())
        return build(
            out,
            MllamaForConditionalGeneration,
            config,
            sample,
            seed,
            f"mllama.py --variant {variant} --capture {capture} --unseen {unseen}",
            save=save,
            avoid={tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id},
            dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
        )


def hub_name(name):
    """The name in the published files: each part at the top, the decoder under `language_model.model.`."""
    name = name.removeprefix("model.") if name.startswith("model.") else name
    if name.startswith("lm_head."):
        return f"language_model.{name}"
    if name.startswith("language_model.") and not name.startswith(("language_model.model.", "language_model.lm_head.")):
        return "language_model.model." + name.removeprefix("language_model.")
    return name


def memory_name(name):
    """The name inside transformers 5: `lm_head.weight` at the top, everything else under `model.`."""
    name = hub_name(name)
    if name == "language_model.lm_head.weight":
        return "lm_head.weight"
    if name.startswith("language_model.model."):
        return "model.language_model." + name.removeprefix("language_model.model.")
    return "model." + name


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--variant", choices=VARIANTS, default="two-tiles")
    arguments.add_argument("--capture", choices=["before", "after"], default="after", help="after: as transformers 5.18 is")
    arguments.add_argument("--unseen", choices=["mlp", "attention-and-mlp"], default="mlp", help="mlp: as transformers 5.18 is")
    arguments = arguments.parse_args()
    print(write(arguments.out, arguments.seed, arguments.variant, arguments.capture, arguments.unseen))


if __name__ == "__main__":
    main()
