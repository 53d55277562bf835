"""Writes a tiny text-only folder of one family of language models, with its golden file. See README.md."""

import argparse
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from common import FAMILIES, Sample, build, edit_json, legacy_rope, positions_of, stretched_rope, text_config, tiny_tokenizer

VARIANTS = ["llama", "llama3", "llama-bias", "llama-tied", "qwen2", "qwen2-tied", "bf16", "sharded", "hub", "batch-left"] + FAMILIES

PROMPT = "It's 1, 23, 4567 naïve cafés in 東 🙂.\n\nWhat color is the star?"

LLAMA_TEMPLATE = (
    "{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)
QWEN2_TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


def make_tokenizer(kind, vocab_size):
    if kind == "qwen2":
        tokenizer = tiny_tokenizer(
            "qwen2",
            ["<|endoftext|>", "<|im_start|>", "<|im_end|>"],
            vocab_size,
            eos="<|im_end|>",
            pad="<|endoftext|>",
        )
        tokenizer.chat_template = QWEN2_TEMPLATE
    elif kind == "llama3":
        tokenizer = tiny_tokenizer(
            "llama3",
            ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"],
            vocab_size,
            bos="<|begin_of_text|>",
            eos="<|eot_id|>",
            pad="<|end_of_text|>",
        )
        tokenizer.chat_template = LLAMA_TEMPLATE
    else:
        tokenizer = tiny_tokenizer("llama2", ["<pad>"], vocab_size, bos="<s>", eos="</s>", pad="<pad>", unk="<unk>")
        tokenizer.chat_template = LLAMA_TEMPLATE
    return tokenizer


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--variant", choices=VARIANTS, default="llama")
    arguments.add_argument("--text", choices=FAMILIES, help="the family, for variants that only say how a folder is written")
    arguments.add_argument("--rope", choices=["linear", "dynamic", "yarn", "longrope", "proportional"], help="type of the positions")
    arguments.add_argument("--beyond", action="store_true", help="the prompt is longer already than that where frequencies change")
    arguments = arguments.parse_args()
    seed, variant = arguments.seed, arguments.variant

    family = arguments.text or (variant if variant in FAMILIES else None)
    bytewise = variant.startswith("qwen2") or (family is not None and family != "mistral")
    tokens = "qwen2" if bytewise else "llama3" if variant in ("llama3", "hub") else "llama"
    vocab_size = 311 + seed % 17
    tokenizer = make_tokenizer(tokens, vocab_size)
    changes = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if variant == "llama-bias":
        changes |= {"attention_bias": True, "mlp_bias": True}
    if variant.endswith("tied"):
        changes["tie_word_embeddings"] = True
    settings = text_config(seed, vocab_size + 5, family or tokens, **changes)
    if arguments.rope:
        head = settings.get("head_dim") or settings["hidden_size"] // settings["num_attention_heads"]
        share = settings["rope_parameters"].get("partial_rotary_factor")
        length = len(tokenizer(PROMPT)["input_ids"])
        turning = head if share is None else int(head * share)
        rope, beside = stretched_rope(arguments.rope, settings["model_type"], seed, turning, length, arguments.beyond)
        settings |= {"rope_parameters": rope | ({} if share is None else {"partial_rotary_factor": share})} | beside
    config = AutoConfig.for_model(**settings)
    model_class = AutoModelForCausalLM._model_mapping[type(config)]

    if variant == "batch-left":
        encoded = tokenizer([PROMPT, "What color is the star?"], padding=True, return_tensors="pt")
        inputs = {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}
        inputs["position_ids"] = positions_of(inputs["attention_mask"])
        sample = Sample(inputs)
    else:
        encoded = tokenizer(PROMPT, return_tensors="pt")
        sample = Sample({"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}, PROMPT)

    # On its cache the class forgets the text when it becomes long; what it means to do is to read it anew.
    sample.uses_cache = not (family == "phi3" and arguments.rope == "longrope")

    def save(model):
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        model.generation_config.bos_token_id = tokenizer.bos_token_id
        model.generation_config.pad_token_id = tokenizer.pad_token_id
        model.save_pretrained(
            arguments.out,
            max_shard_size="48KB" if variant == "sharded" else "1GB",
            save_original_format=family != "olmoe-merged",
        )
        tokenizer.save_pretrained(arguments.out)
        if variant == "hub":
            edit_json(arguments.out / "config.json", legacy_rope)

    print(
        build(
            arguments.out,
            model_class,
            config,
            sample,
            seed,
            f"text.py --variant {variant}"
            + (f" --text {arguments.text}" if arguments.text else "")
            + (f" --rope {arguments.rope}" if arguments.rope else "")
            + (" --beyond" if arguments.beyond else ""),
            save=save,
            avoid={tokenizer.eos_token_id, tokenizer.pad_token_id},
            dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
        )
    )


if __name__ == "__main__":
    main()
