"""Writes a tiny Janus folder with its golden file: pictures understood, none drawn. See README.md."""

import argparse
import random
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import JanusConfig, JanusForConditionalGeneration
from transformers.models.janus import image_processing_pil_janus
from transformers.models.janus.processing_janus import JanusProcessor

from common import (
    Sample,
    build,
    edit_json,
    legacy_rope,
    picture,
    positions_of,
    save_checkpoint,
    split_processor_config,
    text_config,
    through_png,
    tiny_tokenizer,
    write_tensors,
)

VARIANTS = ["two", "one", "hub", "bf16", "sharded", "batch-right", "batch-left"]

TEMPLATE = (
    "{% for message in messages %}{% if message['role'] == 'user' %}{{ '<|User|>: ' }}{% else %}{{ '<|Assistant|>: ' }}"
    "{% endif %}{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '<image_placeholder>\n' }}"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{{ '\n\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|Assistant|>:' }}{% endif %}"
)
SIZES = [(53, 37), (31, 58), (40, 40), (21, 2), (97, 45)]
"""Width and height; the flat one has its shorter side raised to the least size."""


def make_tokenizer(vocab_size):
    begin, end, image = "<begin_of_image>", "<end_of_image>", "<image_placeholder>"
    tokenizer = tiny_tokenizer(
        "llama3",
        ["<|begin|>", "<|end|>", "<|pad|>", "<|User|>", "<|Assistant|>", begin, end, image],
        vocab_size,
        bos="<|begin|>",
        eos="<|end|>",
        pad="<|pad|>",
        extra={"image_token": image, "boi_token": begin, "eoi_token": end},
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def question(processor, images, text):
    content = [{"type": "image"} for _ in range(images)] + [{"type": "text", "text": text}]
    return processor.tokenizer.apply_chat_template(
        [{"role": "user", "content": content}], tokenize=False, add_generation_prompt=True
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--variant", choices=VARIANTS, default="two")
    arguments.add_argument("--lean", action="store_true", help="leave out the weights of the tokenizer that draws")
    arguments.add_argument("--depth", type=int, default=2, help="linear layers of the aligner")
    arguments.add_argument("--tied", action="store_true", help="tie the head to the embedding table")
    arguments = arguments.parse_args()
    seed, variant, out = arguments.seed, arguments.variant, arguments.out

    draw = random.Random(seed * 104729 + 7)
    heads, head_dim = draw.choice([(3, 6), (2, 10), (3, 8)])
    patch, grid = draw.choice([4, 5, 6]), draw.choice([3, 4])
    vocab_size = 321 + seed % 13
    tokenizer = make_tokenizer(vocab_size)
    text = text_config(
        seed,
        vocab_size + 6,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=arguments.tied,
    )
    hidden = text["hidden_size"]
    # The parts that draw are as small as their group norms of 32 groups allow; nothing of them is used.
    config = JanusConfig(
        text_config=text,
        vision_config={
            "hidden_size": heads * head_dim,
            "num_hidden_layers": 2,
            "num_attention_heads": heads,
            "image_size": patch * grid,
            "patch_size": patch,
            "mlp_ratio": 2,
            "projection_dim": hidden,
            "num_image_tokens": grid * grid,
            "layer_norm_eps": draw.choice([1e-6, 1e-5]),
            "depth": arguments.depth,
        },
        vq_config={
            "base_channels": 32,
            "channel_multiplier": [1],
            "num_res_blocks": 0,
            "latent_channels": 32,
            "embed_dim": 3,
            "num_embeddings": 5,
            "image_token_embed_dim": hidden,
            "projection_dim": hidden,
            "num_patches": grid,
        },
        image_token_id=tokenizer.image_token_id,
        tie_word_embeddings=arguments.tied,
    )
    image_processor = image_processing_pil_janus.JanusImageProcessorPil(
        size={"height": patch * grid, "width": patch * grid},
        min_size=draw.choice([3, 4]),
        image_mean=[0.5, 0.5, 0.5],
        image_std=[0.5, 0.5, 0.5],
    )
    processor = JanusProcessor(
        image_processor, tokenizer, chat_template=tokenizer.chat_template, num_image_tokens=grid * grid
    )

    shapes = draw.sample(SIZES, 3)
    pictures = through_png([picture(seed * 10 + index, *shape) for index, shape in enumerate(shapes)])
    if variant.startswith("batch"):
        prompts = [question(processor, 1, "A star?"), question(processor, 2, "What is it?")]
        side = variant.removeprefix("batch-")
        inputs = dict(processor(text=prompts, images=pictures, padding=True, padding_side=side, return_tensors="pt"))
        if variant == "batch-left":
            inputs["position_ids"] = positions_of(inputs["attention_mask"])
        # A continuation of right-padded rows would start after padding, which no caller wants.
        sample = Sample(inputs, continues=variant == "batch-left")
    else:
        images = pictures[: 1 if variant == "one" else 2]
        prompt = question(processor, len(images), "What color is the star?")
        sample = Sample(dict(processor(text=[prompt], images=images, return_tensors="pt")), prompt, images)
    sample.inputs = {
        name: sample.inputs[name]
        for name in ("input_ids", "attention_mask", "position_ids", "pixel_values")
        if name in sample.inputs
    }

    def save(model):
        save_checkpoint(model, processor, out, is_sharded=variant == "sharded")
        if variant == "hub":
            edit_json(out / "config.json", lambda value: legacy_rope(value["text_config"]))
            split_processor_config(out)

    print(
        build(
            out,
            JanusForConditionalGeneration,
            config,
            sample,
            seed,
            f"janus.py --variant {variant}",
            save=save,
            avoid={tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.image_token_id},
            dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
        )
    )
    if arguments.lean:
        path = out / "model.safetensors"
        kept = {name: tensor for name, tensor in load_file(path).items() if ".vqmodel." not in name or ".quant" in name}
        write_tensors(kept, path)
        path.chmod(0o644)


if __name__ == "__main__":
    main()
