"""Writes a tiny Idefics3 or SmolVLM folder with its golden file. See README.md."""

import argparse
import random
from pathlib import Path

import torch
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
    SmolVLMProcessor,
)
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil
from transformers.processing_utils import ProcessorMixin

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
)

VARIANTS = ["split", "off", "many", "uneven", "stretch", "batch-right", "batch-left", "bf16", "sharded", "hub", "newlines"]

TEMPLATE = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)

LANDSCAPE, PORTRAIT, TINY, SQUARE, STRIP = (61, 40), (33, 70), (5, 9), (48, 48), (90, 13)


class ImageSmolVLMProcessor(SmolVLMProcessor):
    """SmolVLMProcessor without its video half, which needs torchvision and num2words. The image path is untouched."""

    def __init__(self, image_processor, tokenizer, image_seq_len=169, chat_template=None, **kwargs):
        self.fake_image_token = tokenizer.fake_image_token
        self.image_token = tokenizer.image_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.end_of_utterance_token = tokenizer.end_of_utterance_token
        self.global_image_token = tokenizer.global_image_token
        self.image_seq_len = image_seq_len
        self.video_token = "<video>"
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template, **kwargs)


# The class name is written into the processor's files, which must name the real class.
ImageSmolVLMProcessor.__name__ = "SmolVLMProcessor"


def make_tokenizer(vocab_size, merge_newlines):
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<global-img>"]
    names += [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    names += ["<fake_token_around_image>", "<image>", "<end_of_utterance>"]
    tokenizer = tiny_tokenizer(
        "smollm",
        names,
        vocab_size,
        bos="<|im_start|>",
        eos="<end_of_utterance>",
        pad="<|im_end|>",
        unk="<|endoftext|>",
        extra={
            "end_of_utterance_token": "<end_of_utterance>",
            "fake_image_token": "<fake_token_around_image>",
            "global_image_token": "<global-img>",
            "image_token": "<image>",
        },
        merge_newlines=merge_newlines,
    )
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def render(tokenizer, *content):
    """One user turn: pictures are `None`, text is a string."""
    parts = [{"type": "image"} if part is None else {"type": "text", "text": part} for part in content]
    return tokenizer.apply_chat_template(
        [{"role": "user", "content": parts}], tokenize=False, add_generation_prompt=True
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--variant", choices=VARIANTS, default="split")
    arguments.add_argument("--model", choices=["idefics3", "smolvlm"], default="idefics3")
    arguments.add_argument("--scale", type=int, choices=[2, 3, 4], default=2, help="scale_factor of the pixel shuffle")
    arguments.add_argument("--text", choices=["llama", "llama3", "qwen2"], default="llama")
    arguments.add_argument("--tied", action="store_true", help="tie the head to the embedding table")
    arguments = arguments.parse_args()
    seed, variant, out, scale = arguments.seed, arguments.variant, arguments.out, arguments.scale

    draw = random.Random(seed * 15485863 + 3)
    heads, head_dim = draw.choice([(2, 6), (3, 4), (2, 5), (3, 6)])
    patch = draw.choice([4, 5]) if scale == 2 else 4
    # The tile's grid must be a multiple of the scale; "stretch" gives the position table more rows than a tile uses.
    tile_grid = {2: 4, 3: 6, 4: 4}[scale]
    table_grid = tile_grid + (3 if variant == "stretch" else 0)
    tile = tile_grid * patch
    sequence = (tile_grid // scale) ** 2
    # A longest edge that is not a multiple of the tile makes every picture pass all three resizes.
    longest = 2 * tile if variant not in ("uneven",) else 2 * tile - 3

    vocab_size = 309 + seed % 11
    tokenizer = make_tokenizer(vocab_size, merge_newlines=variant != "newlines")
    family = arguments.model
    image_processor = (Idefics3ImageProcessorPil if family == "idefics3" else SmolVLMImageProcessorPil)(
        size={"longest_edge": longest},
        max_image_size={"longest_edge": tile},
        do_image_splitting=variant != "off",
    )
    processor = (Idefics3Processor if family == "idefics3" else ImageSmolVLMProcessor)(
        image_processor, tokenizer, image_seq_len=sequence, chat_template=TEMPLATE
    )
    text = text_config(
        seed,
        vocab_size + 3,
        arguments.text,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    config = (Idefics3Config if family == "idefics3" else SmolVLMConfig)(
        vision_config={
            "hidden_size": heads * head_dim,
            "intermediate_size": draw.choice([26, 30, 34]),
            "num_hidden_layers": 2,
            "num_attention_heads": heads,
            "image_size": table_grid * patch,
            "patch_size": patch,
        },
        text_config=text,
        image_token_id=processor.image_token_id,
        scale_factor=scale,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=arguments.tied,
    )

    def pictures(*shapes):
        return through_png([picture(seed * 10 + index, *shape) for index, shape in enumerate(shapes)])

    if variant.startswith("batch"):
        # The first sample has fewer views: the batch is filled up with views of zeros.
        groups = [pictures(STRIP), pictures(LANDSCAPE)]
        prompts = [render(tokenizer, None, "What is it?"), render(tokenizer, "See", None)]
        tokenizer.padding_side = "left" if variant == "batch-left" else "right"
        inputs = dict(processor(text=prompts, images=groups, padding=True, return_tensors="pt"))
        tokenizer.padding_side = "left"
        if variant == "batch-left":
            inputs["position_ids"] = positions_of(inputs["attention_mask"])
        # A continuation of right-padded rows would start after padding, which no caller wants.
        sample = Sample(inputs, continues=variant == "batch-left")
    else:
        if variant == "off":
            images = pictures(LANDSCAPE, PORTRAIT)
            prompt = render(tokenizer, None, None, "What changed?")
        elif variant == "many":
            images = pictures(STRIP, PORTRAIT, TINY)
            prompt = render(tokenizer, "See", None, "or", None, None, "?")
        else:
            images = pictures(draw.choice([LANDSCAPE, PORTRAIT, SQUARE]))
            prompt = render(tokenizer, None, "What color is the star?")
        inputs = dict(processor(text=prompt, images=[images], return_tensors="pt"))
        sample = Sample(inputs, prompt, images)
    names = ("input_ids", "attention_mask", "position_ids", "pixel_values", "pixel_attention_mask")
    sample.inputs = {name: sample.inputs[name] for name in names if name in sample.inputs}

    def save(model):
        save_checkpoint(model, processor, out, is_sharded=variant == "sharded")
        if variant == "hub":
            edit_json(out / "config.json", hub_config)
            split_processor_config(out)

    model_class = Idefics3ForConditionalGeneration if family == "idefics3" else SmolVLMForConditionalGeneration
    print(
        build(
            out,
            model_class,
            config,
            sample,
            seed,
            f"smolvlm.py --variant {variant} --model {family} --scale {scale} --text {arguments.text}",
            save=save,
            avoid={tokenizer.eos_token_id, tokenizer.pad_token_id, processor.image_token_id},
            dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
        )
    )


def hub_config(value):
    """Leaves out what published files leave out, and adds the unused keys that they carry."""
    legacy_rope(value["text_config"])
    value["text_config"] |= {"pixel_shuffle_factor": value["scale_factor"], "use_resampler": False}
    vision = value["vision_config"]
    for name in ("num_channels", "hidden_act", "layer_norm_eps", "attention_dropout", "initializer_range"):
        vision.pop(name, None)
    vision |= {"size": {"longest_edge": 999}, "tie_word_embeddings": False, "use_base_siglip": True}
    value["vocab_size"] = value["text_config"]["vocab_size"]


if __name__ == "__main__":
    main()
