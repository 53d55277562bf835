"""Writes a tiny Fuyu folder with its golden file. See README.md."""

import argparse
import json
import random
import sys
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import FuyuConfig, FuyuForCausalLM, PreTrainedTokenizerFast
from transformers.models.fuyu import image_processing_pil_fuyu

# The processor asks this module, which needs torchvision, for a class that its Pillow twin has too.
sys.modules["transformers.models.fuyu.image_processing_fuyu"] = image_processing_pil_fuyu
from transformers.models.fuyu.processing_fuyu import FuyuProcessor  # noqa: E402

from common import (  # noqa: E402
    Sample,
    build,
    edit_json,
    legacy_rope,
    picture,
    positions_of,
    rename_weights,
    split_processor_config,
    text_config,
    through_png,
    tiny_tokenizer,
)

VARIANTS = ["small", "large", "exact", "hub-names", "memory-names", "bf16", "sharded", "batch-left"]


def make_tokenizer(pieces):
    """Like Fuyu's own: the tokens of pictures are words, so the mark of a word's beginning stands before the first."""
    tokenizer = tiny_tokenizer("llama2", [], pieces, bos="<s>", eos="</s>", pad="<unk>", unk="<unk>")
    stored = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary, merges = stored["model"]["vocab"], []
    for word in ("|SPEAKER|", "|NEWLINE|", "<0x04>"):
        beginnings = [word[: end + 1] for end in range(len(word))]
        for piece in [*word, *beginnings]:
            vocabulary.setdefault(piece, len(vocabulary))
        merges += [[before, word[len(before)]] for before in beginnings[:-1]]
    stored["model"]["merges"] = merges + stored["model"]["merges"]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(stored)),
        padding_side="left",
        model_max_length=2048,
        clean_up_tokenization_spaces=False,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<unk>",
        unk_token="<unk>",
    )


def memory_name(name):
    """The name inside transformers 5: `lm_head.weight` at the top, everything else under `model.`."""
    if name == "language_model.lm_head.weight":
        return "lm_head.weight"
    if name.startswith("language_model.model."):
        return "model.language_model." + name.removeprefix("language_model.model.")
    return "model." + name


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--variant", choices=VARIANTS, default="small")
    arguments = arguments.parse_args()
    seed, variant, out = arguments.seed, arguments.variant, arguments.out

    draw = random.Random(seed * 104729 + 7)
    patch = draw.choice([4, 5, 6])
    tokenizer = make_tokenizer(301 + seed % 13)
    vocab_size = len(tokenizer.get_vocab())
    text = text_config(
        seed,
        vocab_size + 6,
        "persimmon",
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=0,
    )
    size = {"height": patch * draw.choice([4, 5]), "width": patch * draw.choice([6, 7])}
    image_processor = image_processing_pil_fuyu.FuyuImageProcessorPil(
        size=size, patch_size={"height": patch, "width": patch}
    )
    processor = FuyuProcessor(image_processor=image_processor, tokenizer=tokenizer)
    same = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "rope_parameters")
    config = FuyuConfig(
        **{name: text[name] for name in same},
        text_config=dict(text),
        patch_size=patch,
        image_token_id=processor.image_token_id,
        pad_token_id=0,
    )

    height, width = size["height"], size["width"]
    shapes = {
        "exact": [(width, height)],
        "large": [(2 * width + 5, height + 11)],
    }.get(variant, [(width - patch - 1, height - 3), (patch + 2, 2 * height + 9)])
    pictures = through_png([picture(seed * 10 + index, *shape) for index, shape in enumerate(shapes)])
    if variant == "batch-left":
        inputs = dict(processor(text=["A star?", "What is it?"], images=pictures, return_tensors="pt"))
        inputs["position_ids"] = positions_of(inputs["attention_mask"])
        sample = Sample(inputs)
    else:
        prompt = "Is it a star?\n"
        sample = Sample(dict(processor(text=prompt, images=pictures[:1], return_tensors="pt")), prompt, pictures[:1])
    sample.inputs = {
        name: sample.inputs[name]
        for name in ("input_ids", "attention_mask", "position_ids", "image_patches")
        if name in sample.inputs
    }
    # Rows of patches of the whole batch, as the forward call takes them.
    sample.inputs["image_patches"] = sample.inputs["image_patches"].float().reshape(1, -1, 3 * patch * patch)

    def save(model):
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        model.generation_config.bos_token_id = tokenizer.bos_token_id
        model.generation_config.pad_token_id = 0
        model.save_pretrained(out, max_shard_size="40KB" if variant == "sharded" else "1GB")
        processor.save_pretrained(out)
        if variant == "hub-names":
            edit_json(out / "config.json", lambda value: (legacy_rope(value), legacy_rope(value["text_config"])))
            split_processor_config(out)
        if variant == "memory-names":
            rename_weights(out, memory_name)

    print(
        build(
            out,
            FuyuForCausalLM,
            config,
            sample,
            seed,
            f"fuyu.py --variant {variant}",
            save=save,
            avoid={0, tokenizer.eos_token_id, processor.image_token_id},
            dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
        )
    )


if __name__ == "__main__":
    main()
