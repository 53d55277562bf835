"""Writes a tiny LLaVA-NeXT or LLaVA-OneVision folder with its golden file. See README.md."""

import argparse
import random
from pathlib import Path

import torch
from transformers import (
    LlavaNextConfig,
    LlavaNextForConditionalGeneration,
    LlavaNextProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionForConditionalGeneration,
)
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.llava_onevision.processing_llava_onevision import LlavaOnevisionProcessor

from common import (
    FAMILIES,
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
)
from llava import make_tokenizer, memory_name, question, vision_config

VARIANTS = ["one", "two", "shared", "layers", "bf16", "sharded", "hub-names", "memory-names", "batch-right", "batch-left"]


class ImagesOnly(LlavaOnevisionProcessor):
    """The processor without its video half, which needs torchvision; the image path is transformers' own code."""

    @classmethod
    def get_attributes(cls):
        return ["image_processor", "tokenizer"]


def one_video_less(onevision):
    """Lets `ImagesOnly` be saved under the name of the whole class."""
    if onevision:
        ImagesOnly.__name__ = "LlavaOnevisionProcessor"


def pinpoints_of(draw, side, onevision):
    if onevision:
        return [[side * rows, side * columns] for rows in (1, 2, 3) for columns in (1, 2, 3)]
    return draw.choice(
        [
            [[side, 2 * side], [2 * side, side], [2 * side, 2 * side], [3 * side, side], [side, 3 * side]],
            [[2 * side, 2 * side], [side, 2 * side], [3 * side, 2 * side]],
        ]
    )


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--model", choices=["llava_next", "llava_onevision"], default="llava_next")
    arguments.add_argument("--variant", choices=VARIANTS, default="two")
    arguments.add_argument("--text", choices=["llama", "llama3", "qwen2", *FAMILIES], default="llama")
    arguments.add_argument("--tower", choices=["clip", "siglip"], help="CLIP for LLaVA-NeXT, SigLIP for LLaVA-OneVision")
    arguments.add_argument("--tied", action="store_true", help="tie the head to the embedding table")
    arguments.add_argument("--most", type=int, default=3, help="tiles of features before they are shrunk (OneVision)")
    arguments = arguments.parse_args()
    seed, variant, out = arguments.seed, arguments.variant, arguments.out
    onevision = arguments.model == "llava_onevision"
    one_video_less(onevision)

    draw = random.Random(seed * 104729 + 7)
    tower = arguments.tower or ("siglip" if onevision else "clip")
    vision = vision_config(draw, tower)
    side, grid = vision["image_size"], vision["image_size"] // vision["patch_size"]
    strategy = "full" if tower == "siglip" else "default"
    layer = [-2, -1] if variant == "layers" else -1 if tower == "siglip" else -2
    pinpoints = pinpoints_of(draw, side, onevision)
    aspect = {"vision_aspect_ratio": f"anyres_max_{arguments.most}"} if onevision else {}

    vocab_size = 313 + seed % 13
    bytewise = arguments.text in FAMILIES and arguments.text != "mistral"
    tokenizer = make_tokenizer("qwen2" if bytewise else arguments.text, vocab_size)
    text = text_config(
        seed,
        vocab_size + 6,
        arguments.text,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=arguments.tied,
    )
    if onevision:
        image_processor = LlavaOnevisionImageProcessorPil(
            size={"height": side, "width": side},
            image_grid_pinpoints=pinpoints,
            image_mean=[0.5, 0.5, 0.5],
            image_std=[0.5, 0.5, 0.5],
        )
        processor = ImagesOnly(
            image_processor,
            tokenizer,
            num_image_tokens=grid * grid + (tower == "clip"),
            vision_feature_select_strategy=strategy,
            chat_template=tokenizer.chat_template,
            **aspect,
        )
    else:
        image_processor = LlavaNextImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}, image_grid_pinpoints=pinpoints
        )
        processor = LlavaNextProcessor(
            image_processor=image_processor,
            tokenizer=tokenizer,
            patch_size=vision["patch_size"],
            vision_feature_select_strategy=strategy,
            num_additional_image_tokens=1 if tower == "clip" else 0,
            chat_template=tokenizer.chat_template,
        )
    config_class, model_class = (
        (LlavaOnevisionConfig, LlavaOnevisionForConditionalGeneration)
        if onevision
        else (LlavaNextConfig, LlavaNextForConditionalGeneration)
    )
    config = config_class(
        vision_config=vision,
        text_config=text,
        image_token_index=processor.image_token_id,
        image_grid_pinpoints=pinpoints,
        vision_feature_layer=layer,
        vision_feature_select_strategy=strategy,
        projector_hidden_act="gelu",
        tie_word_embeddings=arguments.tied,
        **aspect,
    )

    # A wide, a tall and a nearly square picture; larger and smaller than the tiles.
    shapes = [(53, 37), (23, 68), (40, 41), (19, 12)]
    draw.shuffle(shapes)
    pictures = through_png([picture(seed * 10 + index, *shape) for index, shape in enumerate(shapes)])
    if variant.startswith("batch"):
        prompts = [question(processor, 1, "A star?"), question(processor, 2, "What is it?")]
        tokenizer.padding_side = "left" if variant == "batch-left" else "right"
        inputs = dict(processor(text=prompts, images=pictures[:3], padding=True, return_tensors="pt"))
        tokenizer.padding_side = "left"
        if variant == "batch-left":
            inputs["position_ids"] = positions_of(inputs["attention_mask"])
        # A continuation of right-padded rows would start after padding, which no caller wants.
        sample = Sample(inputs, continues=variant == "batch-left")
    elif variant == "shared":
        # Pictures of one sample, given as such, are not cut into tiles.
        prompt = question(processor, 2, "A star?")
        sample = Sample(dict(processor(text=[prompt], images=[pictures[:2]], return_tensors="pt")), prompt, pictures[:2])
    else:
        images = pictures[: 1 if variant == "one" else 2]
        prompt = question(processor, len(images), "A star?")
        sample = Sample(dict(processor(text=prompt, images=images, return_tensors="pt")), prompt, images)
    names = ("input_ids", "attention_mask", "position_ids", "pixel_values", "image_sizes", "batch_num_images")
    sample.inputs = {name: sample.inputs[name] for name in names if name in sample.inputs}

    def save(model):
        save_checkpoint(model, processor, out, is_sharded=variant == "sharded")
        if variant == "hub-names":
            rename_weights(out, lambda name: name.replace("vision_tower.", "vision_tower.vision_model.", 1))
            edit_json(out / "config.json", lambda value: legacy_rope(value["text_config"]))
            split_processor_config(out)
        if variant == "memory-names":
            rename_weights(out, memory_name)

    print(
        build(
            out,
            model_class,
            config,
            sample,
            seed,
            f"llava_next.py --model {arguments.model} --variant {variant} --text {arguments.text} --tower {tower}",
            save=save,
            avoid={tokenizer.eos_token_id, tokenizer.pad_token_id, processor.image_token_id},
            dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
        )
    )


if __name__ == "__main__":
    main()
