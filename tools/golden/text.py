"""Writes a tiny text-only folder of one family of language models, with its golden file. See README.md."""

import argparse
import random
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from common import Sample, build, edit_json, legacy_rope, positions_of, text_config, tiny_tokenizer

LLAMA_VARIANTS = ["llama", "llama3", "llama-bias", "llama-tied", "bf16", "sharded", "hub", "batch-left"]
QWEN2_VARIANTS = ["qwen2", "qwen2-tied", "qwen2-window"]
OTHER_VARIANTS = ["mistral", "olmo", "olmo-plain", "olmo2", "olmoe", "olmoe-merged", "persimmon", "phi", "phi-norm", "phi3"]
VARIANTS = LLAMA_VARIANTS + QWEN2_VARIANTS + OTHER_VARIANTS

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


def family_config(variant, seed, vocab_size, changes):
    """An odd-sized config of the variant's family, drawn from `seed`; all settings that the family adds to Llama's."""
    draw = random.Random(seed * 104729 + 7)
    family = variant.split("-")[0]
    config = text_config(seed, vocab_size, **changes)
    rope = config["rope_parameters"]
    window = draw.choice([5, 7, 9])
    # These families have no width of heads apart from the hidden size, or rely on it elsewhere.
    if family in ("olmoe", "persimmon", "phi", "phi3"):
        heads = config["num_attention_heads"]
        del config["head_dim"]
        config["hidden_size"] = heads * draw.choice({3: [8, 10, 12], 4: [8, 10], 5: [6, 8], 6: [6]}[heads])
    if family in ("persimmon", "phi"):
        config["layer_norm_eps"] = config.pop("rms_norm_eps")
        config["qk_layernorm"] = family == "persimmon" or variant == "phi-norm"
    if family in ("persimmon", "phi", "phi3"):
        # A whole and even number of channels turns, but not all of them.
        size = config["hidden_size"] // config["num_attention_heads"]
        rope["partial_rotary_factor"] = (draw.choice([n for n in range(2, size, 2)]) + 0.5) / size
    if family == "persimmon":
        config.pop("num_key_value_heads")
    if family in ("mistral", "phi3"):
        config["sliding_window"] = window
    if variant == "qwen2-window":
        config |= {"num_hidden_layers": 3, "use_sliding_window": True, "sliding_window": window, "max_window_layers": draw.choice([1, 2])}
    if variant == "olmo":
        config["clip_qkv"] = draw.choice([0.8, 1.1])
    if family == "olmoe":
        config |= {
            "intermediate_size": draw.choice([9, 11, 14]),
            "num_experts": draw.choice([5, 6, 7]),
            "num_experts_per_tok": draw.choice([2, 3]),
            "norm_topk_prob": variant == "olmoe-merged",
            "clip_qkv": 1.6 if variant == "olmoe-merged" else None,
        }
    return {**config, "model_type": family}


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--out", type=Path, required=True)
    arguments.add_argument("--variant", choices=VARIANTS, default="llama")
    arguments = arguments.parse_args()
    seed, variant = arguments.seed, arguments.variant

    bytewise = variant in OTHER_VARIANTS and variant != "mistral"
    kind = "qwen2" if variant in QWEN2_VARIANTS or bytewise else "llama3" if variant in ("llama3", "hub") else "llama"
    vocab_size = 311 + seed % 17
    tokenizer = make_tokenizer(kind, vocab_size)
    changes = {
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    if variant == "llama-bias":
        changes |= {"attention_bias": True, "mlp_bias": True}
    if variant.endswith("tied"):
        changes["tie_word_embeddings"] = True
    if variant in OTHER_VARIANTS or variant == "qwen2-window":
        settings = family_config(variant, seed, vocab_size + 5, changes)
    else:
        settings = text_config(seed, vocab_size + 5, kind, **changes)
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

    def save(model):
        model.generation_config.eos_token_id = tokenizer.eos_token_id
        model.generation_config.bos_token_id = tokenizer.bos_token_id
        model.generation_config.pad_token_id = tokenizer.pad_token_id
        model.save_pretrained(
            arguments.out,
            max_shard_size="48KB" if variant == "sharded" else "1GB",
            save_original_format=variant != "olmoe-merged",
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
            f"text.py --variant {variant}",
            save=save,
            avoid={tokenizer.eos_token_id, tokenizer.pad_token_id},
            dtype=torch.bfloat16 if variant == "bf16" else torch.float32,
        )
    )


if __name__ == "__main__":
    main()
